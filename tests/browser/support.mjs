// A coordinator with people and projects in it, a runner made of requests, a browser that notices what goes wrong.
import { spawn, execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, readFileSync, symlinkSync, writeFileSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRequire } from 'node:module';
import { randomBytes } from 'node:crypto';
import { chromium } from 'playwright-core';

const require = createRequire(import.meta.url);
const axeSource = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

export const password = 'correct horse battery';

export async function until(what, check, seconds = 20) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const value = await check();
    if (value) return value;
    if (Date.now() > end) throw new Error(`waited ${seconds} s for ${what}`);
    await new Promise((done) => setTimeout(done, 100));
  }
}

export function equal(actual, expected, what) {
  const [a, b] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (a !== b) throw new Error(`${what}: ${a} instead of ${b}`);
}

export function check(condition, what) {
  if (!condition) throw new Error(what);
}

// As tests/support/databases.py: a schema of its own in the PostgreSQL server of FORERUNNER_TEST_DATABASE, else SQLite.
function databaseEnvironment() {
  const url = process.env.FORERUNNER_TEST_DATABASE;
  if (!url) return {};
  const schema = `test_${randomBytes(6).toString('hex')}`;
  return { FORERUNNER_DATABASE: `${url}${url.includes('?') ? '&' : '?'}options=-csearch_path%3D${schema}` };
}

export class Coordinator {
  constructor() {
    this.directory = mkdtempSync(join(tmpdir(), 'forerunner-browser.'));
    this.rootToken = `glpat-${randomBytes(15).toString('hex')}`;
  }

  async start(options = []) {
    const args = ['coordinator', '--listen', '127.0.0.1:0', '--data-dir', join(this.directory, 'data'), ...options];
    this.process = spawn(process.env.FORERUNNER, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...process.env,
        ...databaseEnvironment(),
        FORERUNNER_ROOT_TOKEN: this.rootToken,
        FORERUNNER_ROOT_PASSWORD: password,
      },
    });
    this.log = '';
    let out = '';
    this.process.stderr.on('data', (data) => (this.log += data));
    this.process.stdout.on('data', (data) => (out += data));
    const line = await until('the coordinator to listen', () => {
      if (this.process.exitCode !== null) throw new Error(`the coordinator ended: ${this.log}`);
      return /^listening on (\S+)/m.exec(out);
    });
    this.url = line[1];
  }

  async stop() {
    this.process.kill('SIGTERM');
    await until('the coordinator to end', () => this.process.exitCode !== null || this.process.signalCode !== null);
    rmSync(this.directory, { recursive: true, force: true });
  }

  // A request of the API; as root unless a token is given. Anything but success is an error.
  async api(method, path, body, token = this.rootToken) {
    const answer = await fetch(`${this.url}/api/v4${path}`, {
      method,
      headers: { 'PRIVATE-TOKEN': token, 'Content-Type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return text ? JSON.parse(text) : null;
  }

  // What a runner asks; the status matters to the caller.
  async runner(method, path, body) {
    const answer = await fetch(`${this.url}/api/v4${path}`, {
      method,
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    });
    const text = await answer.text();
    return { status: answer.status, json: text ? JSON.parse(text) : null };
  }

  // Several hosts may use one token.
  async contact(token, systemId, version = '19.4.0') {
    const info = { name: 'gitlab-runner', version, revision: 'abcdef12', platform: 'linux', architecture: 'amd64', executor: 'shell' };
    const answer = await this.runner('POST', '/runners/verify', { token, system_id: systemId, info });
    equal(answer.status, 200, 'verify');
  }

  async poll(token, systemId) {
    const features = {
      variables: true, artifacts: true, cache: true, upload_multiple_artifacts: true, refspecs: true, masking: true,
      return_exit_code: true, cancel_gracefully: true, upload_raw_artifacts: true, artifacts_exclude: true,
    };
    const info = { name: 'gitlab-runner', version: '19.4.0', platform: 'linux', architecture: 'amd64', executor: 'shell', features };
    return this.runner('POST', '/jobs/request', { token, system_id: systemId, info });
  }

  async trace(job, text, offset = 0) {
    const bytes = Buffer.from(text);
    const answer = await fetch(`${this.url}/api/v4/jobs/${job.id}/trace`, {
      method: 'PATCH',
      headers: { 'JOB-TOKEN': job.token, 'Content-Type': 'text/plain', 'Content-Range': `${offset}-${offset + bytes.length - 1}` },
      body: bytes,
    });
    equal(answer.status, 202, 'trace');
    return offset + bytes.length;
  }

  async finish(job, state = 'success', more = {}) {
    const answer = await this.runner('PUT', `/jobs/${job.id}`, { token: job.token, state, ...more });
    equal(answer.status, 200, 'final update');
  }

  async upload(job, file, name = 'artifacts.zip') {
    const form = new FormData();
    form.append('artifact_format', 'zip');
    form.append('artifact_type', 'archive');
    form.append('file', new Blob([readFileSync(file)]), name);
    const answer = await fetch(`${this.url}/api/v4/jobs/${job.id}/artifacts`, {
      method: 'POST', headers: { 'JOB-TOKEN': job.token }, body: form,
    });
    equal(answer.status, 201, 'artifacts');
  }

  // A host with a folder of its own, where the program is called gitlab-runner as the documents do.
  host() {
    const home = mkdtempSync(join(this.directory, 'host.'));
    symlinkSync(process.env.FORERUNNER, join(home, 'gitlab-runner'));
    const env = { PATH: `${home}:/usr/local/bin:/usr/bin:/bin`, HOME: home, CONFIG_FILE: join(home, 'config.toml'), LANG: 'C.UTF-8' };
    // A line as pasted into a shell, and what is typed when it asks.
    return {
      systemId: () => readFileSync(join(home, '.runner_system_id'), 'utf8').trim(),
      paste: (line, typed = '') => execFileSync('sh', ['-c', line], { env, cwd: home, input: typed, stdio: 'pipe', timeout: 30_000 }).toString(),
      start: (line) => spawn('sh', ['-c', `exec ${line}`], { env, cwd: home, stdio: 'ignore' }),
    };
  }

  // Makes everything that the store knows of a runner older by so many days.
  age(runner, days) {
    const script = `import sqlite3,sys
store = sqlite3.connect(sys.argv[1], timeout=20)
for table, key in (('runners', 'id'), ('runner_managers', 'runner_id')):
    store.execute(f'UPDATE {table} SET created_at = created_at - ?, contacted_at = contacted_at - ? WHERE {key} = ?', (int(sys.argv[3]),) * 2 + (int(sys.argv[2]),))
store.execute('UPDATE ephemeral_tokens SET expires_at = expires_at - ? WHERE runner_id = ?', (int(sys.argv[3]), int(sys.argv[2])))
store.commit()`;
    execFileSync('python3', ['-c', script, join(this.directory, 'data', 'coordinator.sqlite'), String(runner), String(Math.round(days * 86_400_000))]);
  }

  // A commit with these files on main, pushed as root.
  push(project, files, message = 'A commit') {
    const tree = mkdtempSync(join(this.directory, 'tree.'));
    const git = (...args) => execFileSync('git', ['-C', tree, '-c', 'user.name=Ann', '-c', 'user.email=ann@example.com', ...args], { stdio: 'pipe' });
    git('init', '-q', '-b', 'main');
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(join(tree, name, '..'), { recursive: true });
      writeFileSync(join(tree, name), text);
    }
    git('add', '-A');
    git('commit', '-q', '-m', message);
    const remote = new URL(`/${project.path_with_namespace}.git`, this.url);
    remote.username = 'root';
    remote.password = this.rootToken;
    git('push', '-q', '-f', remote.href, 'main');
  }
}

// root, an Owner and a Maintainer of the group acme, a Developer and a stranger; the project acme/website.
export async function seed(coordinator) {
  const people = {};
  for (const name of ['olivia', 'max', 'dana', 'sam']) {
    people[name] = await coordinator.api('POST', '/users', {
      username: name, name: name[0].toUpperCase() + name.slice(1), email: `${name}@example.com`, password, skip_confirmation: true,
    });
  }
  const group = await coordinator.api('POST', '/groups', { name: 'Acme', path: 'acme' });
  const subgroup = await coordinator.api('POST', '/groups', { name: 'Labs', path: 'labs', parent_id: group.id });
  for (const [name, level] of [['olivia', 50], ['max', 40], ['dana', 30]]) {
    await coordinator.api('POST', `/groups/${group.id}/members`, { user_id: people[name].id, access_level: level });
  }
  const project = await coordinator.api('POST', '/projects', { name: 'Website', path: 'website', namespace_id: group.id });
  const other = await coordinator.api('POST', '/projects', { name: 'Shop', path: 'shop', namespace_id: subgroup.id });
  return { people, group, subgroup, project, other };
}

export class Browser {
  async start() {
    this.browser = await chromium.launch({
      executablePath: '/usr/bin/chromium',
      args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
        '--disable-component-update', '--disable-sync'],
    });
  }

  async stop() {
    await this.browser.close();
  }

  // A tab of its own, signed in as somebody unless `user` is empty.
  async open(coordinator, user, options = {}) {
    const context = await this.browser.newContext({
      baseURL: coordinator.url, viewport: { width: 1280, height: 900 }, permissions: ['clipboard-read', 'clipboard-write'], ...options,
    });
    const tab = new Tab(await context.newPage(), coordinator);
    if (user) await tab.signIn(user);
    return tab;
  }
}

export class Tab {
  constructor(page, coordinator) {
    this.page = page;
    this.coordinator = coordinator;
    this.complaints = []; // console errors, exceptions, requests to other hosts
    page.setDefaultTimeout(10_000);
    page.on('console', (message) => {
      // A refused request is a matter of the walk that caused it; everything else is a defect.
      if (message.type() === 'error' && !/Failed to load resource/.test(message.text())) this.complaints.push(message.text());
    });
    page.on('pageerror', (error) => this.complaints.push(String(error)));
    page.on('request', (request) => {
      const url = request.url();
      if (!url.startsWith(coordinator.url) && !/^(data|blob|about):/.test(url)) this.complaints.push(`request to ${url}`);
    });
  }

  async close() {
    await this.page.context().close();
    if (this.complaints.length) throw new Error(`in the browser: ${this.complaints.join('; ')}`);
  }

  async go(path) {
    const answer = await this.page.goto(path);
    await this.settled();
    return answer ? answer.status() : 200; // none for a mere jump within the page
  }

  // Loaded, and nothing under way.
  async settled() {
    await this.page.waitForLoadState('load');
    await this.page.locator('h1').first().waitFor();
    await this.page.locator('[aria-busy="true"]').first().waitFor({ state: 'detached' }).catch(() => {});
  }

  async signIn(user) {
    await this.page.goto('/users/sign_in');
    await this.page.getByLabel(/user ?name/i).fill(user);
    await this.page.getByLabel('Password', { exact: true }).fill(password);
    await this.page.getByRole('button', { name: 'Sign in', exact: true }).click();
    await this.page.waitForURL((url) => !url.pathname.includes('sign_in'));
    await this.settled();
  }

  // Serious findings of the accessibility checker are errors.
  async accessible(what) {
    await this.page.evaluate(axeSource).catch(async () => this.page.addScriptTag({ content: axeSource }));
    const result = await this.page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
    const serious = result.violations.filter((one) => one.impact === 'serious' || one.impact === 'critical');
    const words = serious.map((one) => `${one.id}: ${one.help} (${one.nodes.map((node) => node.target.join(' ')).slice(0, 3).join('; ')})`);
    if (words.length) throw new Error(`${what} is not accessible: ${words.join(' | ')}`);
  }
}
