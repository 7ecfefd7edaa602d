// @platformatic/kafka: node platformatic.js HOST:PORT
'use strict'
const assert = require('node:assert/strict')
const fs = require('node:fs')
const path = require('node:path')
const zlib = require('node:zlib')
const stories = require('./stories')
const { name, told } = stories

const at = require.resolve('@platformatic/kafka')
const base = { clientId: 'platformatic', bootstrapBrokers: [process.argv[2]], autocreateTopics: true }
let kafka, admin, producer

const record = m => ({ partition: m.partition, key: m.key ?? null, value: m.value ?? null, headers: Object.fromEntries(m.headers), ms: m.timestamp })

const client = {
  codecs: ['none', 'gzip', 'snappy', 'lz4'].concat(zlib.zstdCompressSync ? ['zstd'] : []), // which Node has from 22.15 on
  create: (topic, partitions) => admin.createTopics({ topics: [topic], partitions, replicas: 1 }),
  async produce (topic, compression, records) {
    const buffer = s => s === null ? undefined : Buffer.from(s)
    await producer.send({
      compression,
      acks: -1,
      messages: records.map(r => ({ topic, partition: r.partition, key: buffer(r.key), value: buffer(r.value), timestamp: r.ms === null ? undefined : BigInt(r.ms),
        headers: new Map(Object.entries(r.headers).map(([k, v]) => [Buffer.from(k), Buffer.from(v)])) }))
    })
  },
  async consume (topic, n) {
    const got = []
    const m = await client.member(name('reader'), topic, r => got.push(r))
    await stories.eventually(`${n} records`, () => got.length >= n)
    await m.close()
    return got
  },
  async member (groupId, topic, got, more) {
    const c = new kafka.Consumer({ ...base, groupId, sessionTimeout: 6000, rebalanceTimeout: 6000, heartbeatInterval: 200, maxWaitTime: 100, metadataMaxAge: 1000, ...more })
    const stream = await c.consume({ topics: [topic], mode: 'committed', fallbackMode: 'earliest', autocommit: false })
    const reading = (async () => {
      for await (const m of stream) {
        got(record(m))
        try {
          await m.commit()
        } catch (e) {
          if (!/rebalanc|generation|member/i.test(`${e.message} ${e.errors?.map(String)}`)) throw e
        }
      }
    })()
    reading.catch(e => {
      console.log('FAILED', e)
      process.exit(1)
    })
    return {
      async close () {
        await stream.close()
        await c.close()
      }
    }
  },
  async offsetAt (topic, partition, ms) {
    const found = await admin.listOffsets({ topics: [{ name: topic, partitions: [{ partitionIndex: partition, timestamp: BigInt(ms) }] }] })
    return found[0].partitions[0].offset
  },
  async committed (group, topic) {
    const [of] = await admin.listConsumerGroupOffsets({ groups: [group] })
    return of.topics.find(t => t.name === topic).partitions.reduce((sum, p) => sum + Math.max(Number(p.committedOffset), 0), 0)
  },
  async shares (group) {
    const g = (await admin.describeGroups({ groups: [group] })).get(group)
    if (!/stable/i.test(g.state)) return []
    return [...g.members.values()].map(m => [...m.assignments?.values() ?? []].flatMap(a => a.partitions).length).sort()
  },
  repeats: true // what was fetched before a rebalance is told after it
}

async function administration () {
  const topic = name('admin')
  const group = name('group')
  await client.create(topic, 2)
  await assert.rejects(client.create(topic, 2), 'the same topic twice')
  await admin.createPartitions({ topics: [{ name: topic, count: 3, assignments: null }] })
  await stories.eventually('three partitions', async () => (await admin.metadata({ topics: [topic], forceUpdate: true })).topics.get(topic).partitionsCount === 3)
  assert.ok((await admin.listTopics()).includes(topic))
  told('topics: create, grow, list')
  await admin.incrementalAlterConfigs({ resources: [{ resourceType: 2, resourceName: topic, configs: [{ name: 'retention.ms', configOperation: 0, value: '60000' }] }] })
  const [shown] = await admin.describeConfigs({ resources: [{ resourceType: 2, resourceName: topic, configurationKeys: ['retention.ms'] }] })
  assert.equal(shown.configs[0].value, '60000')
  told('settings: alter, describe')
  await client.produce(topic, 'none', stories.lines(0, 30, 3))
  await admin.deleteRecords({ topics: [{ name: topic, partitions: [{ partition: 1, offset: 4n }] }] })
  const listed = await admin.listOffsets({ topics: [{ name: topic, partitions: [{ partitionIndex: 1, timestamp: -2n }] }] })
  assert.equal(listed[0].partitions[0].offset, 4n)
  told('records: delete, offsets')
  await admin.alterConsumerGroupOffsets({ groupId: group, topics: [{ name: topic, partitionOffsets: [{ partition: 0, offset: 7n }] }] })
  const [offsets] = await admin.listConsumerGroupOffsets({ groups: [group] })
  assert.equal(offsets.topics[0].partitions[0].committedOffset, 7n)
  assert.ok((await admin.listGroups()).has(group))
  await admin.deleteGroups({ groups: [group] })
  await admin.deleteTopics({ topics: [topic] })
  told('groups: offsets, list, delete; topics: delete')
}

async function transactions () {
  const target = name('target')
  await client.create(target, 1)
  const p = new kafka.Producer({ ...base, idempotent: true, transactionalId: name('id') })
  for (let turn = 0; turn < 4; turn++) {
    const t = await p.beginTransaction()
    await t.send({ messages: Array(10).fill({ topic: target, partition: 0, key: Buffer.from(`${turn}`), value: Buffer.from('line') }) })
    await (turn % 2 === 0 ? t.abort() : t.commit())
  }
  await p.close()
  const rounds = []
  const m = await client.member(name('reader'), target, r => rounds.push(String(r.key)), { isolationLevel: 1 })
  const of = round => rounds.filter(r => r === round).length
  await stories.eventually('what was committed', () => of('1') === 10 && of('3') === 10) // of the aborted it may tell some, whatever the broker
  await m.close()
  told('transactions: commit, abort')
}

// talk sends and reads with a login.
async function talk (login, topic, records) {
  const { mechanism, username, password } = login
  const at = { clientId: 'secured', bootstrapBrokers: [login.address], autocreateTopics: true, tls: { ca: [login.ca] }, sasl: { mechanism, username, password } }
  const p = new kafka.Producer(at)
  await p.send({ messages: records.map(({ value }) => ({ topic, value: Buffer.from(value) })) })
  await p.close()
  const c = new kafka.Consumer({ ...at, groupId: name('group'), maxWaitTime: 100 })
  const stream = await c.consume({ topics: [topic], mode: 'earliest', autocommit: false })
  const got = []
  stream.on('data', m => got.push(m.value))
  await stories.eventually('all that was sent', () => got.length === records.length)
  await stream.close()
  await c.close()
  return got
}

const { version } = JSON.parse(fs.readFileSync(path.join(path.dirname(at), '..', 'package.json')))
stories.run(`@platformatic/kafka ${version}`, [async () => {
  kafka = await import(require('node:url').pathToFileURL(at))
  admin = new kafka.Admin(base)
  producer = new kafka.Producer({ ...base, idempotent: true })
}, () => stories.codecs(client), () => stories.times(client), () => stories.groups(client), administration, transactions, () => stories.secured(talk)])
