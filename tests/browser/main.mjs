// Runs the walks one after the other, each on people and projects of its own, and says how each ended.
import { Browser, Coordinator, seed } from './support.mjs';
import { runnerWalks } from './runners.mjs';
import { registrationTokenWalks } from './registration_tokens.mjs';
import { peopleWalks } from './people.mjs';
import { projectWalks } from './projects.mjs';
import { pictures } from './pictures.mjs';

const wanted = process.argv.slice(2);
const walks = { ...runnerWalks, ...registrationTokenWalks, ...peopleWalks, ...projectWalks, ...pictures };
const names = Object.keys(walks).filter((name) => !wanted.length || wanted.some((part) => name.includes(part)));
if (!names.length) {
  console.error(`no walk is called ${wanted.join(' or ')}`);
  process.exit(2);
}

const browser = new Browser();
await browser.start();
const failures = [];
for (const name of names) {
  const coordinator = new Coordinator();
  const began = Date.now();
  const tabs = [];
  try {
    await coordinator.start();
    const place = await seed(coordinator);
    const open = async (user, options) => {
      const tab = await browser.open(coordinator, user, options);
      tabs.push(tab);
      return tab;
    };
    await walks[name]({ coordinator, open, ...place });
    while (tabs.length) await tabs.pop().close();
    console.log(`ok   ${name} (${((Date.now() - began) / 1000).toFixed(1)} s)`);
  } catch (error) {
    failures.push(name);
    console.log(`FAIL ${name}\n${error.stack ?? error}`);
    if (process.env.FAILURES) {
      for (const [at, tab] of tabs.entries()) {
        const file = `${process.env.FAILURES}/${name.replace(/\W+/g, '-')}.${at}.png`;
        await tab.page.screenshot({ path: file }).catch(() => {});
        console.log(`     at ${tab.page.url()}, see ${file}; ${tab.complaints.join('; ')}`);
      }
    }
    for (const tab of tabs) await tab.page.context().close().catch(() => {});
  }
  await coordinator.stop().catch((error) => {
    failures.push(name);
    console.log(`FAIL ${name}: ${error}`);
  });
}
await browser.stop();
console.log(`${names.length - new Set(failures).size} of ${names.length} walks`);
process.exit(failures.length ? 1 : 0);
