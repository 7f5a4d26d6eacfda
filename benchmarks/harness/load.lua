-- For wrk: POSTs the bodies of a file in turns and ends with one line of JSON.
-- The file's first line is the Authorization header, every other line a body.
local requests, turn = {}, 0

function init(args)
  local authorization
  for line in io.lines(args[1]) do
    if authorization == nil then
      authorization = line
    else
      local headers = { ["Content-Type"] = "application/json", ["Authorization"] = authorization }
      requests[#requests + 1] = wrk.format("POST", nil, headers, line)
    end
  end
end

function request()
  turn = turn % #requests + 1
  return requests[turn]
end

function done(summary, latency)
  local failed = summary.errors
  io.write(string.format('{"rate": %f, "p50": %f, "p99": %f, "errors": %d}\n',
    summary.requests / summary.duration * 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    failed.connect + failed.read + failed.write + failed.status + failed.timeout))
end
