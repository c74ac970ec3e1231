// Holds webhooks against Retell's own client: each line that comes is a body with its signature, each
// that goes says whether the client takes it for Retell's.
const readline = require('node:readline');

const [sdk, key] = process.argv.slice(2);
const { Retell } = require(sdk);

(async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const { body, signature } = JSON.parse(line);
    process.stdout.write(JSON.stringify(await Retell.verify(body, key, signature)) + '\n');
  }
})();
