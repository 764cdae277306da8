import { createHash } from 'node:crypto'

/**
 * The atomic steps on Redis. Every script names one key, the task's own hash; the others are derived from it and so
 * share its hash tag, which keeps them on one node of a Redis Cluster:
 *
 *   rheo:{fraud-3}                           epoch, token, seq, position:<topic>
 *   rheo:{fraud-3}:state:<table>             key → expiresAtMs (float64, big-endian; +Infinity: never) · value
 *   rheo:{fraud-3}:undo                      <bytes of table>:<table><key> → what stood there before the flush under way; empty: nothing
 *   rheo:{fraud-3}:features:<table>:<key>    feature → its current value, to read
 *
 * The token names a holder: a random value, since a Redis that came back without its last writes could hand out the same
 * epoch twice. `seq` numbers a holder's writes: one that is sent twice is applied once, one that went missing is noticed.
 */
export interface RedisScript {
  readonly lua: string
  readonly sha1: string
}

/** What a script answers first. 'lost': Redis no longer has what this holder wrote; 'fenced': another holder came. */
export type Verdict = 'done' | 'fenced' | 'lost'

function script(lua: string): RedisScript {
  const text = `#!lua\n${lua}` // with a shebang, Redis refuses a script before its first write where memory is full
  return { lua: text, sha1: createHash('sha1').update(text).digest('hex') }
}

/** Who holds the task. Sets `seq`; returns from the script unless the caller is the holder. ARGV 1: token, 2: epoch. */
const assertHolder = `
local task = KEYS[1]
local held = redis.call('HMGET', task, 'token', 'epoch', 'seq')
if not held[1] then return {'lost'} end
if held[1] ~= ARGV[1] then
  if tonumber(held[2]) >= tonumber(ARGV[2]) then return {'fenced'} end
  return {'lost'}
end
`

/**
 * A new holder. ARGV: token. Result: the epoch.
 */
export const acquireScript = script(`
redis.call('HSET', KEYS[1], 'token', ARGV[1], 'seq', 0)
return redis.call('HINCRBY', KEYS[1], 'epoch', 1)
`)

/**
 * Puts back what a flush that never came to its end had changed, about `count` keys of it: call until nothing is left.
 * ARGV: token, epoch, count. Result: {'done', keys left} | {verdict}.
 */
export const undoScript = script(`${assertHolder}
local undo = task .. ':undo'
local found = redis.call('HSCAN', undo, 0, 'COUNT', ARGV[3])[2]
for i = 1, #found, 2 do
  local field, before = found[i], found[i + 1]
  local colon = string.find(field, ':', 1, true)
  local length = tonumber(string.sub(field, 1, colon - 1))
  local state = task .. ':state:' .. string.sub(field, colon + 1, colon + length)
  local key = string.sub(field, colon + length + 1)
  if before == '' then redis.call('HDEL', state, key) else redis.call('HSET', state, key, before) end
  redis.call('HDEL', undo, field)
end
return {'done', redis.call('HLEN', undo)}
`)

/**
 * A part of a flush ('stage': keeps what stood there before in the undo hash) or its end ('flush': sets the positions
 * and forgets the undo hash). Then the clock hand of each table, where it is to sweep, looks at two entries for each new
 * key and at one for eight others, and drops what has expired: it outruns growth.
 * ARGV: token, epoch, seq, 'stage' | 'flush', 'features' | '', watermarkMs, positions, (topic, next offset)…,
 *       then per table: name, deletes, puts, 'sweep' | '', cursor, key…, (key, value)…
 * Result: {'done', the hand's cursor per table…} | {'done'} where it was applied before | {verdict}.
 * Cost: O(1) a put; one in a stage reads and keeps the former value, too (`bench/redis-state.ts`).
 */
export const writeScript = script(`${assertHolder}
local seq = tonumber(ARGV[3])
local applied = tonumber(held[3])
if applied == seq then return {'done'} end
if applied ~= seq - 1 then return {'lost'} end
redis.call('HSET', task, 'seq', ARGV[3])

local undo = task .. ':undo'
local isStaged, hasFeatures, watermarkMs = ARGV[4] == 'stage', ARGV[5] == 'features', tonumber(ARGV[6])
local at = 8
local function take(count, step, each)
  for first = at, at + count * step - 1, 1000 * step do
    each(first, math.min(first + 1000 * step, at + count * step) - 1)
  end
  at = at + count * step
end
local function keepBefore(name, state, keys)
  local before, fields, kept = redis.call('HMGET', state, unpack(keys)), {}, {}
  for i, key in ipairs(keys) do fields[i] = #name .. ':' .. name .. key end
  for i, value in ipairs(redis.call('HMGET', undo, unpack(fields))) do
    if not value then
      kept[#kept + 1] = fields[i]
      kept[#kept + 1] = before[i] or ''
    end
  end
  if #kept > 0 then redis.call('HSET', undo, unpack(kept)) end
end
local function remove(name, state, keys)
  redis.call('HDEL', state, unpack(keys))
  if not hasFeatures then return end
  for i, key in ipairs(keys) do keys[i] = task .. ':features:' .. name .. ':' .. key end
  redis.call('UNLINK', unpack(keys))
end

take(tonumber(ARGV[7]), 2, function(first, last)
  for i = first, last, 2 do redis.call('HSET', task, 'position:' .. ARGV[i], ARGV[i + 1]) end
end)
local result = {'done'}
while at <= #ARGV do
  local name, deletes, puts, sweep, cursor = unpack(ARGV, at, at + 4)
  local state, added = task .. ':state:' .. name, 0
  at = at + 5
  take(tonumber(deletes), 1, function(first, last)
    local keys = {unpack(ARGV, first, last)}
    if isStaged then keepBefore(name, state, keys) end
    remove(name, state, keys)
  end)
  take(tonumber(puts), 2, function(first, last)
    if isStaged then
      local keys = {}
      for i = first, last, 2 do keys[#keys + 1] = ARGV[i] end
      keepBefore(name, state, keys)
    end
    added = added + redis.call('HSET', state, unpack(ARGV, first, last))
  end)
  local swept = 2 * added + math.floor(puts / 8)
  if sweep == 'sweep' and swept > 0 then
    local found = redis.call('HSCAN', state, cursor, 'COUNT', swept)
    local expired = {}
    cursor = found[1]
    for i = 1, #found[2], 2 do
      if struct.unpack('>d', found[2][i + 1]) < watermarkMs then expired[#expired + 1] = found[2][i] end
      if #expired == 1000 or (i + 1 == #found[2] and #expired > 0) then
        remove(name, state, expired)
        expired = {}
      end
    end
  end
  result[#result + 1] = cursor
end
if not isStaged then redis.call('UNLINK', undo) end
return result
`)

/**
 * Replaces the readable features of entities. ARGV: token, epoch, then per table: name, names, entities, name of a
 * feature…, (key, its values in the order of the names, with commas in between; NaN: none)…
 * Result: {verdict}.
 */
export const featuresScript = script(`${assertHolder}
local at = 3
while at <= #ARGV do
  local prefix, entities, names = task .. ':features:' .. ARGV[at] .. ':', tonumber(ARGV[at + 2]), at + 3
  at = names + tonumber(ARGV[at + 1])
  for i = 1, entities do
    local shown, count, name = {}, 0, names
    for value in string.gmatch(ARGV[at + 1], '[^,]+') do
      if value ~= 'NaN' then
        shown[count + 1], shown[count + 2] = ARGV[name], value
        count = count + 2
      end
      name = name + 1
    end
    local key = prefix .. ARGV[at]
    if count > 0 then redis.call('HSET', key, unpack(shown)) end
    if redis.call('HLEN', key) > count / 2 then -- some have no value any more
      redis.call('DEL', key)
      if count > 0 then redis.call('HSET', key, unpack(shown)) end
    end
    at = at + 2
  end
end
return {'done'}
`)
