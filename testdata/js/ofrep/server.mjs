// Evaluates flags through the stock OFREP provider for servers: one request
// for each evaluation.
//
// stdin:  {"baseUrl": "…", "evaluations": [{"flag": "…", "type": "boolean|string|number|object", "defaultValue": …, "context": {…}}],
//          "headers": [["…", "…"]]}
//         The headers are optional.
// stdout: the list of the SDK's evaluation details, in the same order
import { text } from 'node:stream/consumers';
import { OFREPProvider } from '@openfeature/ofrep-provider';
import { OpenFeature } from '@openfeature/server-sdk';

const { baseUrl, evaluations, headers } = JSON.parse(await text(process.stdin));
await OpenFeature.setProviderAndWait(new OFREPProvider({ baseUrl, headers }));
const client = OpenFeature.getClient();
const evaluate = {
  boolean: (e) => client.getBooleanDetails(e.flag, e.defaultValue, e.context),
  string: (e) => client.getStringDetails(e.flag, e.defaultValue, e.context),
  number: (e) => client.getNumberDetails(e.flag, e.defaultValue, e.context),
  object: (e) => client.getObjectDetails(e.flag, e.defaultValue, e.context),
};
const details = [];
for (const e of evaluations) {
  details.push(await evaluate[e.type](e));
}
console.log(JSON.stringify(details));
await OpenFeature.close();
