// A program with the vendor's own client: each line that comes says what to ask, each that goes what
// came of it.
const readline = require('node:readline');

const [sdk, baseUrl, token] = process.argv.slice(2);
const { VapiClient } = require(sdk);
const client = new VapiClient({ baseUrl, token, maxRetries: 0 });

async function answer({ ask, values }) {
  const [resource, method] = ask.split('.');
  try {
    return { done: await client[resource][method](...values) };
  } catch (why) {
    return { failed: why.constructor.name, status: why.statusCode, body: why.body, text: String(why) };
  }
}

(async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    process.stdout.write(JSON.stringify(await answer(JSON.parse(line))) + '\n');
  }
})();
