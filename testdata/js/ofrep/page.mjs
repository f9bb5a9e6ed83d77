// The page of browser.mjs.
import { OFREPWebProvider } from '@openfeature/ofrep-web-provider';
import { OpenFeature, ProviderEvents } from '@openfeature/web-sdk';

const { baseUrl, steps, flags, key } = await window.input();
let statuses = [];
const provider = new OFREPWebProvider({
  baseUrl,
  headers: key ? [['X-API-Key', key]] : [],
  cacheMode: 'disabled', // what the server answers, not what an earlier page has stored
  fetchImplementation: async (...args) => {
    const response = await fetch(...args);
    statuses.push(response.status);
    return response;
  },
});
const client = OpenFeature.getClient();
const report = (more) => {
  const values = Object.fromEntries(flags.map((flag) => [flag, client.getBooleanValue(flag, false)]));
  const line = { values, statuses, ...more };
  statuses = [];
  return window.report(line);
};

for (const [i, context] of steps.entries()) {
  if (i === 0) {
    await OpenFeature.setProviderAndWait(provider, context);
  } else {
    await OpenFeature.setContext(context);
  }
  await report();
}
client.addHandler(ProviderEvents.ConfigurationChanged, (event) => report({ flagsChanged: event.flagsChanged ?? [] }));
