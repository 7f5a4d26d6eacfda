-- For wrk: POSTs the bodies of a file in turns and ends with one line of JSON.
-- Eight @ in a body become the number of the request, so that no two are the same.
-- The file has a header on each line, an empty line, and then by turns a path and the body for it.
local requests, turn = {}, 0

function init(args)
  local headers, path, in_head = { ["Content-Type"] = "application/json" }, nil, true
  for line in io.lines(args[1]) do
    if in_head then
      local name, value = line:match("^(.-): (.*)$")
      if name then headers[name] = value else in_head = false end
    elseif path == nil then
      path = line
    else
      local whole = wrk.format("POST", path, headers, line)
      local first, last = whole:find("@@@@@@@@", 1, true)
      if first then
        requests[#requests + 1] = { whole:sub(1, first - 1), whole:sub(last + 1) }
      else
        requests[#requests + 1] = whole
      end
      path = nil
    end
  end
end

function request()
  turn = turn + 1
  local one = requests[turn % #requests + 1]
  if type(one) == "string" then return one end
  return one[1] .. string.format("%08d", turn) .. one[2]
end

function done(summary, latency)
  local failed = summary.errors
  io.write(string.format('{"rate": %f, "p50": %f, "p99": %f, "count": %d, "errors": %d}\n',
    summary.requests / summary.duration * 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, summary.requests,
    failed.connect + failed.read + failed.write + failed.status + failed.timeout))
end
