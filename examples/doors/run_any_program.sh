#!/bin/sh
# Any program, here a shell with curl: every door is set for it and, on Linux, nothing else can be reached.
#
#     python provider.py &
#     sh run_any_program.sh
set -e

clearance run --agent sweeper --goal "look at the rates" -- sh -c '
  curl -sS http://127.0.0.2:9700/rates
  curl -sS -o /dev/null -w "to a stranger: %{http_code}\n" http://elsewhere.example/
  curl -sS -o /dev/null -w "past the proxy: %{http_code}\n" --noproxy "*" http://127.0.0.2:9700/rates || true
'
clearance trace last
