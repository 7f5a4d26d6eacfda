"""An AgentDojo pipeline of your own, under clearance: the runtime is the only line that changes.

The pipeline here is AgentDojo's ground truth, so that this runs without a model. Put
`AgentPipeline.from_config(...)` with your model in its place: the tools, the policies and the trace stay.
"""

from agentdojo.agent_pipeline.ground_truth_pipeline import GroundTruthPipeline
from agentdojo.task_suite.load_suites import get_suite

from clearance import Client
from clearance.cli.demo.governed import GovernedRuntime


def main(store: str = ".clearance") -> str:
    suite = get_suite("v1.2.2", "workspace")
    task = suite.get_user_task_by_id("user_task_13")
    pipeline = GroundTruthPipeline(task)  # your agent

    with (
        Client(store) as client,
        client.run(goal=task.PROMPT, agent="office-assistant", environment="sandbox") as run,
    ):
        done, _ = suite.run_task_with_pipeline(
            pipeline,
            task,
            injection_task=None,
            injections={},
            runtime_class=lambda tools: GovernedRuntime(run, tools),
        )
    print(f"task done: {done}; read it back: clearance trace {run.run_id} --store {store}")
    return run.run_id


if __name__ == "__main__":
    main()
