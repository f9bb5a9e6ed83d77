// Downloads targets from a TUF repository, with tuf-js, and prints their paths
// and contents, in base64, as a JSON object:
//
//     node verify.mjs URL ROOT CACHE TARGET...
//
// URL is the repository's folder, ROOT the file with the pinned root, and CACHE a
// folder that keeps what was trusted from one call to the next. What tuf-js
// doesn't trust ends the program with its error and status 1.

import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Updater } from 'tuf-js';

const [url, root, cache, ...targets] = process.argv.slice(2);
mkdirSync(cache, { recursive: true });
const pinned = join(cache, 'root.json');
if (!existsSync(pinned)) copyFileSync(root, pinned);

const updater = new Updater({
  metadataDir: cache,
  metadataBaseUrl: url,
  targetDir: mkdtempSync(join(cache, 'targets-')),
  targetBaseUrl: `${url}/targets`,
});
try {
  await updater.refresh();
  const contents = {};
  for (const path of targets) {
    const target = await updater.getTargetInfo(path);
    if (!target) throw new Error(`there is no target ${path}`);
    contents[path] = readFileSync(await updater.downloadTarget(target)).toString('base64');
  }
  console.log(JSON.stringify(contents));
} catch (error) {
  console.error(`${error.name}: ${error.message}`);
  process.exit(1);
}
