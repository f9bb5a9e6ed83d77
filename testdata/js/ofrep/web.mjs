// Evaluates flags through the stock OFREP provider for browsers, which asks for
// all flags when the context is set and answers from memory.
//
// stdin:  {"baseUrl": "…", "steps": [{"context": {…}, "evaluations": [{"flag": "…", "type": "boolean|string|number|object", "defaultValue": …}]}],
//          "follow": false}
// stdout: a line of JSON for each response of the server, {"status": 200}, and
//         one after each step, {"details": [the SDK's evaluation details]}
//
// With follow, the provider then goes on polling in the last step's context.
// When flags have changed it prints {"details": […], "flagsChanged": […]} for
// the last step's evaluations, and ends.
import { text } from 'node:stream/consumers';
import { OFREPWebProvider } from '@openfeature/ofrep-web-provider';
import { OpenFeature, ProviderEvents } from '@openfeature/web-sdk';

const { baseUrl, steps, follow } = JSON.parse(await text(process.stdin));
const print = (line) => console.log(JSON.stringify(line));
const provider = new OFREPWebProvider({
  baseUrl,
  pollInterval: follow ? 20 : 0, // milliseconds
  fetchImplementation: async (...args) => {
    const response = await fetch(...args);
    print({ status: response.status });
    return response;
  },
});
const client = OpenFeature.getClient();
const read = {
  boolean: (e) => client.getBooleanDetails(e.flag, e.defaultValue),
  string: (e) => client.getStringDetails(e.flag, e.defaultValue),
  number: (e) => client.getNumberDetails(e.flag, e.defaultValue),
  object: (e) => client.getObjectDetails(e.flag, e.defaultValue),
};
const details = (step) => step.evaluations.map((e) => read[e.type](e));

const changed = new Promise((resolve) => {
  client.addHandler(ProviderEvents.ConfigurationChanged, (event) => resolve(event.flagsChanged));
});
for (const [i, step] of steps.entries()) {
  if (i === 0) {
    await OpenFeature.setProviderAndWait(provider, step.context);
  } else {
    await OpenFeature.setContext(step.context);
  }
  print({ details: details(step) });
}
if (follow) {
  const flagsChanged = await changed;
  print({ details: details(steps.at(-1)), flagsChanged });
}
await OpenFeature.close();
