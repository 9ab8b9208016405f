// castore on DynamoDB: `node castore.mjs <configuration>`, see bench/stopwatch.py.
//
// how: get_push   getAggregate, then pushEvent: what its documentation shows
//      push       pushEvent with the version kept in memory: nothing is read
//      in_flight  as push, ten requests at once; of one entity one after the other
//      group      pushEventGroup of 100 events, versions kept in memory
import { openSync, readFileSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { Agent } from 'node:http';

const asked = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const require = createRequire(asked.modules + '/');
const { DynamoDBClient } = require('@aws-sdk/client-dynamodb');
const { EventStore, EventType } = require('@castore/core');
const { DynamoDBSingleTableEventStorageAdapter } = require('@castore/event-storage-adapter-dynamodb');

const LANES = 10;
const GROUP = 100;
const WARM = 300;

// What an aggregate is after an event, by the event's type.
const apply = {
  score: (before, { points }) => ({
    points: (before?.points ?? 0) + points,
    games: (before?.games ?? 0) + 1,
  }),
  plant: (_, { species }, timestamp) => ({ species, planted: timestamp, litres: 0 }),
  water: (before, { litres }) => ({ ...before, litres: before.litres + litres }),
  cut: (before) => ({ ...before, cut: true }),
  put: (_, { blob, size }) => ({ blob, size }),
  delete: () => ({ deleted: true }),
};

const client = new DynamoDBClient({
  endpoint: asked.endpoint,
  requestHandler: { httpAgent: new Agent({ keepAlive: true, maxSockets: LANES }) },
});

const named = (eventStoreId) => new EventStore({
  eventStoreId,
  eventTypes: Object.keys(apply).map((type) => new EventType({ type })),
  reducer: (before, { aggregateId, version, type, payload, timestamp }) => ({
    ...apply[type](before, payload, timestamp),
    aggregateId,
    version,
  }),
  eventStorageAdapter: new DynamoDBSingleTableEventStorageAdapter({
    tableName: asked.table,
    dynamoDBClient: client,
  }),
});
let store;

const steps = JSON.parse(readFileSync(asked.steps, 'utf8'));
const known = new Map();
const commits = [];

async function timed(work) {
  const begin = performance.now();
  const answer = await work();
  commits.push(performance.now() - begin);
  return answer;
}

async function push([aggregateId, type, payload], prevAggregate) {
  const event = { aggregateId, version: (prevAggregate?.version ?? 0) + 1, type, payload };
  const { nextAggregate } = await store.pushEvent(event, { prevAggregate });
  return nextAggregate;
}

async function pushKnown(step) {
  known.set(step[0], await timed(() => push(step, known.get(step[0]))));
}

const ways = {
  async get_push(todo) {
    for (const step of todo) {
      await timed(async () => push(step, (await store.getAggregate(step[0])).aggregate));
    }
  },
  async push(todo) {
    for (const step of todo) await pushKnown(step);
  },
  async in_flight(todo) {
    const last = new Map(); // the newest request of each entity: the next one waits for it
    const flying = new Set();
    for (const step of todo) {
      if (flying.size >= LANES) await Promise.race(flying);
      const before = last.get(step[0]) ?? Promise.resolve();
      const done = before.then(() => pushKnown(step)).finally(() => flying.delete(done));
      last.set(step[0], done);
      flying.add(done);
    }
    await Promise.all(flying);
  },
  async group(todo) {
    for (let first = 0; first < todo.length; first += GROUP) {
      await timed(async () => {
        const next = new Map();
        const events = todo.slice(first, first + GROUP).map(([aggregateId, type, payload]) => {
          const prevAggregate = next.get(aggregateId) ?? known.get(aggregateId);
          const event = { aggregateId, version: (prevAggregate?.version ?? 0) + 1, type, payload };
          const timestamp = new Date().toISOString();
          next.set(aggregateId, store.buildAggregate([{ ...event, timestamp }], prevAggregate));
          return store.groupEvent(event, { prevAggregate });
        });
        const { eventGroup } = await EventStore.pushEventGroup(...events);
        for (const { nextAggregate } of eventGroup) {
          known.set(nextAggregate.aggregateId, nextAggregate);
        }
      });
    }
  },
};

// Before the clock starts connections are open, and the code is compiled.
store = named('WARM-UP');
await ways[asked.how](steps.slice(0, WARM));
known.clear();
commits.length = 0;
store = named('BENCH');

let tracing = Boolean(asked.trace);
if (tracing) {
  const file = openSync(asked.trace, 'a');
  client.middlewareStack.add(
    (next, context) => async (args) => {
      const operation = context.commandName.replace(/Command$/, '');
      const result = await next(args);
      const answer = { ...result.output, $metadata: undefined };
      if (tracing) writeSync(file, JSON.stringify({ operation, request: args.input, answer }) + '\n');
      return result;
    },
    { step: 'initialize' },
  );
}

const cpu = process.cpuUsage();
const begin = performance.now();
await ways[asked.how](steps);
const seconds = (performance.now() - begin) / 1000;
const busy = process.cpuUsage(cpu);

// Nothing was lost: an entity has as many versions as actions.
tracing = false;
const last = steps.at(-1)[0];
const { aggregate } = await store.getAggregate(last);
const wanted = steps.filter(([entity]) => entity === last).length;
if (aggregate.version !== wanted) throw new Error(`${last}: ${aggregate.version}, not ${wanted}`);

commits.sort((one, other) => one - other);
const percentile = (percent) =>
  commits[Math.min(commits.length - 1, Math.floor((commits.length * percent) / 100))];
console.log(
  JSON.stringify({
    actions: steps.length,
    seconds,
    cpu: (busy.user + busy.system) / 1e6,
    commits: commits.length,
    p50: percentile(50),
    p99: percentile(99),
    memory: process.resourceUsage().maxRSS,
  }),
);
