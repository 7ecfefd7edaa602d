// What every client must live through. A client is an object with
//
//   codecs                                    those that it knows
//   create(topic, partitions)                 makes a topic
//   produce(topic, codec, records)            sends records to their partitions and waits for the acknowledgements
//   consume(topic, n)                         reads n records of all partitions from the beginning
//   member(group, topic, got)                 a member of a group that commits what it told got, with close()
//   offsetAt(topic, partition, ms)            the first offset at or after a time
//   committed(group, topic)                   the sum of what a group has committed
//   shares(group)                             how many partitions each member of a stable group has, in order
//
// Each prints one line for each thing that held; the first that did not ends the program.
'use strict'
const assert = require('node:assert/strict')
const crypto = require('node:crypto')
const fs = require('node:fs')

const patience = 40_000
const told = what => console.log('ok', what)
const name = what => `${what}-${crypto.randomBytes(4).toString('hex')}`
const pause = ms => new Promise(resolve => setTimeout(resolve, ms))

async function eventually (what, ok) {
  const deadline = Date.now() + patience
  while (!await ok()) {
    if (Date.now() > deadline) throw new Error(`waited for ${what}`)
    await pause(20)
  }
}

function lines (from, to, partitions) {
  const list = []
  for (let i = from; i < to; i++) list.push({ partition: i % partitions, key: null, value: `line ${i}`, headers: {}, ms: null })
  return list
}

// show is a record as text, without its offset, so that what was sent and what came back can be compared.
const show = r => JSON.stringify([r.partition, r.key === null ? null : String(r.key), r.value === null ? null : String(r.value),
  Object.entries(r.headers).map(([k, v]) => [k, String(v)]), Number(r.ms)])

async function codecs (client) {
  for (const codec of client.codecs) {
    const topic = name(`codec-${codec}`)
    await client.create(topic, 2)
    const ms = Date.now() - 3_600_000
    const sent = [
      { partition: 0, key: 'key', value: 'value', headers: { pos: '0', empty: '' }, ms },
      { partition: 0, key: 'deleted', value: null, headers: {}, ms: ms + 1 },
      { partition: 0, key: 'none', value: '', headers: {}, ms: ms + 2 },
      { partition: 0, key: 'long', value: 'abcdefgh'.repeat(12_000), headers: {}, ms: ms + 3 }
    ]
    for (let i = 0; i < 300; i++) sent.push({ partition: i % 2, key: `k${i}`, value: `line ${i}`, headers: { pos: `${i}` }, ms: ms + 10 + i })
    await client.produce(topic, codec, sent)
    const got = await client.consume(topic, sent.length)
    for (const partition of [0, 1]) {
      const of = list => list.filter(r => r.partition === partition).map(show)
      assert.deepEqual(of(got), of(sent), codec)
    }
    told(`codec ${codec}: keys, values, nulls, headers, times`)
  }
}

async function times (client) {
  const topic = name('times')
  await client.create(topic, 1)
  const ms = Date.now() - 3_600_000
  await client.produce(topic, 'gzip', lines(0, 60, 1).map((r, i) => ({ ...r, ms: ms + i * 1000 })))
  for (const [at, offset] of [[-60_000, 0], [0, 0], [30_000, 30], [30_001, 31], [59_000, 59]]) {
    assert.equal(Number(await client.offsetAt(topic, 0, ms + at)), offset, `${at} ms after the first record`)
  }
  told('offsets by time')
}

async function groups (client) {
  const topic = name('groups')
  const group = name('group')
  const seen = new Map()
  const by = { a: 0, b: 0, c: 0 }
  const got = who => r => {
    by[who]++
    seen.set(String(r.value), (seen.get(String(r.value)) ?? 0) + 1)
  }
  await client.create(topic, 4)
  await client.produce(topic, 'none', lines(0, 400, 4))
  const a = await client.member(group, topic, got('a'))
  await eventually('the first member to read all', () => seen.size === 400)
  const b = await client.member(group, topic, got('b'))
  await eventually('both members to have two partitions', async () => String(await client.shares(group)) === '2,2')
  await client.produce(topic, 'none', lines(400, 800, 4))
  await eventually('both to read the rest', () => seen.size === 800)
  assert.ok(by.b > 0, 'the second reads something')
  await a.close()
  await client.produce(topic, 'none', lines(800, 1200, 4))
  await eventually('the second to read what was the first\'s', () => seen.size === 1200)
  await eventually('all to be committed', async () => await client.committed(group, topic) === 1200)
  await b.close()
  told('a group of two, and a rebalance when one comes and when one goes')
  await client.produce(topic, 'none', lines(1200, 1300, 4))
  const c = await client.member(group, topic, got('c'))
  await eventually('a later member to read what is new', () => seen.size === 1300)
  await c.close()
  assert.equal(by.c, 100, 'a later member reads only what is new')
  if (!client.repeats) assert.equal([...seen.values()].filter(n => n > 1).length, 0, 'records that were read more than once')
  told('commits, and going on where the group was')
}

// secured runs what talk(login) does, which returns what it has read, with each mechanism.
async function secured (talk) {
  const { SECURED, SECURED_CA, SECURED_USER: username, SECURED_PASSWORD: password } = process.env
  if (!SECURED) return
  const ca = fs.readFileSync(SECURED_CA)
  for (const mechanism of ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512']) {
    const got = await talk({ address: SECURED, ca, mechanism, username, password }, name('secured'), lines(0, 10, 1))
    assert.deepEqual(got.map(String), lines(0, 10, 1).map(r => r.value))
    told(`TLS and ${mechanism}`)
  }
}

// run tells the stories, in order, and ends the program.
async function run (title, stories) {
  const began = Date.now()
  console.log(title)
  try {
    for (const story of stories) await story()
  } catch (e) {
    console.log('FAILED', e)
    process.exit(1)
  }
  console.log(`done in ${(Date.now() - began) / 1000} s`)
  process.exit(0)
}

module.exports = { secured, codecs, times, groups, run, lines, name, told, pause, eventually, patience }
