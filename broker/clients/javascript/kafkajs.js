// kafkajs: node kafkajs.js HOST:PORT
'use strict'
const assert = require('node:assert/strict')
const { AssignerProtocol, Kafka, CompressionTypes, CompressionCodecs, ConfigResourceTypes, logLevel } = require('kafkajs')
const snappy = require('kafkajs-snappy')
const wasm = require('@platformatic/wasm-utils')
const zstd = require('@bokuweb/zstd-wasm')
const stories = require('./stories')
const { name, told } = stories

// The codecs that kafkajs leaves to others.
CompressionCodecs[CompressionTypes.Snappy] = snappy
CompressionCodecs[CompressionTypes.LZ4] = () => ({ compress: async e => wasm.lz4Compress(e.buffer), decompress: async b => wasm.lz4Decompress(b) })
CompressionCodecs[CompressionTypes.ZSTD] = () => ({ compress: async e => Buffer.from(zstd.compress(e.buffer)), decompress: async b => Buffer.from(zstd.decompress(b)) })
const types = { none: CompressionTypes.None, gzip: CompressionTypes.GZIP, snappy: CompressionTypes.Snappy, lz4: CompressionTypes.LZ4, zstd: CompressionTypes.ZSTD }

const kafka = new Kafka({ clientId: 'kafkajs', brokers: [process.argv[2]], logLevel: logLevel.NOTHING })
const admin = kafka.admin()
const record = (partition, m) => ({ partition, key: m.key, value: m.value, headers: m.headers, ms: m.timestamp })

const client = {
  codecs: Object.keys(types),
  create: (topic, numPartitions) => admin.createTopics({ topics: [{ topic, numPartitions }], waitForLeaders: true }),
  async produce (topic, codec, records) {
    const p = kafka.producer({ idempotent: codec === 'none' })
    await p.connect()
    await p.send({ topic, compression: types[codec], acks: -1, messages: records.map(r => ({ ...r, timestamp: r.ms === null ? undefined : String(r.ms) })) })
    await p.disconnect()
  },
  async consume (topic, n) {
    const got = []
    const m = await client.member(name('reader'), topic, r => got.push(r))
    await stories.eventually(`${n} records`, () => got.length >= n)
    await m.close()
    return got
  },
  async member (groupId, topic, got) {
    const c = kafka.consumer({ groupId, heartbeatInterval: 200, sessionTimeout: 6000, rebalanceTimeout: 6000, maxWaitTimeInMs: 100, metadataMaxAge: 1000 })
    await c.connect()
    await c.subscribe({ topic, fromBeginning: true })
    await c.run({
      autoCommit: false,
      eachMessage: async ({ partition, message }) => {
        got(record(partition, message))
        await c.commitOffsets([{ topic, partition, offset: String(Number(message.offset) + 1) }])
      }
    })
    return { close: () => c.disconnect() }
  },
  async offsetAt (topic, partition, ms) {
    return (await admin.fetchTopicOffsetsByTimestamp(topic, ms)).find(o => o.partition === partition).offset
  },
  async committed (groupId, topic) {
    const [of] = await admin.fetchOffsets({ groupId, topics: [topic] })
    return of.partitions.reduce((sum, p) => sum + Math.max(Number(p.offset), 0), 0)
  },
  async shares (group) {
    const { groups: [g] } = await admin.describeGroups([group])
    if (g.state !== 'Stable') return []
    return g.members.map(m => Object.values(AssignerProtocol.MemberAssignment.decode(m.memberAssignment).assignment).flat().length).sort()
  }
}

async function early () {
  const topic = name('later')
  const got = []
  const p = kafka.producer()
  await p.connect()
  const m = await client.member(name('group'), topic, r => got.push(r))
  await p.send({ topic, messages: stories.lines(0, 50, 1) })
  await stories.eventually('the member to read all', () => got.length === 50)
  await m.close()
  await p.disconnect()
  told('a group that comes before its topic')
}

async function administration () {
  const topic = name('admin')
  const groupId = name('group')
  assert.equal(await client.create(topic, 2), true)
  assert.equal(await client.create(topic, 2), false, 'the same topic twice')
  await admin.createPartitions({ topicPartitions: [{ topic, count: 3 }] })
  await stories.eventually('three partitions', async () => (await admin.fetchTopicMetadata({ topics: [topic] })).topics[0].partitions.length === 3)
  assert.ok((await admin.listTopics()).includes(topic))
  assert.equal((await admin.describeCluster()).brokers.length, 1)
  told('topics: create, grow, describe, list, cluster')
  const resource = { type: ConfigResourceTypes.TOPIC, name: topic }
  await admin.alterConfigs({ resources: [{ ...resource, configEntries: [{ name: 'retention.ms', value: '60000' }] }] })
  const shown = await admin.describeConfigs({ resources: [{ ...resource, configNames: ['retention.ms'] }] })
  assert.equal(shown.resources[0].configEntries[0].configValue, '60000')
  told('settings: alter, describe')
  await client.produce(topic, 'none', stories.lines(0, 30, 3))
  await admin.fetchTopicOffsets(topic) // without which kafkajs knows no leader to ask
  await admin.deleteTopicRecords({ topic, partitions: [{ partition: 1, offset: '4' }] })
  const offsets = (await admin.fetchTopicOffsets(topic)).find(o => o.partition === 1)
  assert.deepEqual([offsets.low, offsets.high], ['4', '10'])
  told('records: delete, offsets')
  await admin.setOffsets({ groupId, topic, partitions: [{ partition: 0, offset: '7' }] })
  assert.equal((await admin.fetchOffsets({ groupId, topics: [topic] }))[0].partitions.find(p => p.partition === 0).offset, '7')
  assert.ok((await admin.listGroups()).groups.some(g => g.groupId === groupId))
  assert.equal((await admin.describeGroups([groupId])).groups[0].state, 'Empty')
  await admin.deleteGroups([groupId])
  await admin.deleteTopics({ topics: [topic] })
  told('groups: offsets, list, describe, delete; topics: delete')
}

async function transactions () {
  const source = name('source')
  const target = name('target')
  const groupId = name('group')
  await client.create(source, 1)
  await client.create(target, 1)
  const p = kafka.producer({ transactionalId: name('id'), idempotent: true, maxInFlightRequests: 1 })
  await p.connect()
  for (let turn = 0; turn < 4; turn++) {
    const t = await p.transaction()
    await t.send({ topic: target, messages: stories.lines(0, 10, 1).map(r => ({ ...r, key: `${turn}` })) })
    await t.sendOffsets({ consumerGroupId: groupId, topics: [{ topic: source, partitions: [{ partition: 0, offset: `${turn}` }] }] })
    await (turn % 2 === 0 ? t.abort() : t.commit())
  }
  await p.disconnect()
  const got = await client.consume(target, 20) // only what was committed: kafkajs reads nothing else by default
  assert.deepEqual(got.map(r => String(r.key)), Array(10).fill('1').concat(Array(10).fill('3')))
  await stories.eventually('the committed offset', async () => (await admin.fetchOffsets({ groupId, topics: [source] }))[0].partitions[0]?.offset === '3')
  told('transactions: with offsets, commit, abort')
}

// talk sends and reads with a login.
async function talk (login, topic, records) {
  const { mechanism, username, password } = login
  const kafka = new Kafka({ brokers: [login.address], ssl: { ca: [login.ca] }, sasl: { mechanism: mechanism.toLowerCase(), username, password }, logLevel: logLevel.NOTHING })
  const p = kafka.producer()
  await p.connect()
  await p.send({ topic, messages: records.map(({ value }) => ({ value })) })
  await p.disconnect()
  const c = kafka.consumer({ groupId: name('group'), maxWaitTimeInMs: 100 })
  await c.connect()
  await c.subscribe({ topic, fromBeginning: true })
  const got = []
  await c.run({ eachMessage: async ({ message }) => got.push(message.value) })
  await stories.eventually('all that was sent', () => got.length === records.length)
  await c.disconnect()
  return got
}

const { version } = require('kafkajs/package.json')
stories.run(`kafkajs ${version}`, [() => zstd.init(), () => admin.connect(), () => stories.codecs(client), () => stories.times(client),
  () => stories.groups(client), early, administration, transactions, () => stories.secured(talk)])
