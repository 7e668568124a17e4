// The workflow of the founding documents: create a runner, see its token for a short time, register hosts with it.
import { check, equal, until } from './support.mjs';

// On the form, from the platform to Submit; then on the register page. Answers the token and the runner's number.
export async function fillAndSubmit(tab, { platform = 'Linux', tags = '', more = async () => {} } = {}) {
  const { page } = tab;
  await page.getByRole('radio', { name: platform, exact: true }).check();
  if (tags) await page.getByLabel('Tags').fill(tags);
  else await page.getByLabel('Run untagged jobs').check();
  await more(page);
  await page.getByRole('button', { name: 'Submit' }).click();
  await page.waitForURL(/\/register/);
  await page.getByRole('group', { name: 'Registration command' }).waitFor();
  const command = await page.getByRole('group', { name: 'Registration command' }).innerText();
  const token = /--token (\S+)/.exec(command)?.[1];
  check(token?.startsWith('glrt-'), `no token in ${command}`);
  return { token, id: Number(/runners\/(\d+)\/register/.exec(page.url())[1]), command };
}

// Documents: "Follow the instructions to register the runner from the command line."
async function registers(tab, coordinator, token, host) {
  await tab.page.getByText('Waiting for the host to register').waitFor();
  await coordinator.contact(token, host);
  await tab.page.getByText(/^Registered by/).waitFor();
  check((await tab.page.getByText(/^Registered by/).innerText()).includes(host), 'the page does not name the host');
}

async function toAdminRunners(page) {
  await page.getByRole('button', { name: /switch to another place/ }).click();
  await page.getByRole('menuitem', { name: 'Admin Area' }).click();
  await page.waitForURL(/\/admin$/);
  await openSection(page, 'CI/CD');
  await page.getByRole('link', { name: 'Runners', exact: true }).click();
  await page.waitForURL(/\/admin\/runners/);
}

// A sidebar section may be open already.
async function openSection(page, name) {
  const section = page.getByRole('complementary', { name: 'Sidebar' }).getByRole('button', { name, exact: true });
  if ((await section.getAttribute('aria-expanded')) === 'false') await section.click();
}

export async function find(page, what) {
  await page.getByRole('button', { name: 'Search GitLab' }).click();
  await page.getByRole('combobox', { name: 'Search groups and projects' }).fill(what);
  await page.getByRole('option').filter({ hasText: what }).first().click();
}

async function toGroupRunners(page, group) {
  await find(page, group);
  await openSection(page, 'Build');
  await page.getByRole('link', { name: 'Runners', exact: true }).click();
  await page.waitForURL(/-\/runners/);
}

async function toProjectRunners(page, project) {
  await find(page, project);
  await openSection(page, 'Settings');
  await page.getByRole('link', { name: 'CI/CD', exact: true }).click();
  await page.waitForURL(/settings\/ci_cd/);
  const expand = page.getByRole('button', { name: /Expand.*Runners|Runners.*Expand/ });
  if (await expand.count()) await expand.first().click();
  await page.getByRole('heading', { name: 'Project runners', exact: true }).waitFor();
}

export const runnerWalks = {
  'walk: instance runner by an administrator': async ({ coordinator, open }) => {
    const tab = await open('root');
    const { page } = tab;
    await toAdminRunners(page);
    await page.getByRole('link', { name: 'New instance runner' }).click();
    await page.getByRole('heading', { name: 'New instance runner' }).waitFor();
    await tab.accessible('the form of a new runner');
    const { token, command } = await fillAndSubmit(tab, { tags: 'linux, docker' });
    check(command.includes('gitlab-runner register') && command.includes(`--url ${coordinator.url}`), command);
    await tab.accessible('the register page');
    await page.getByRole('button', { name: 'Copy registration command' }).click();
    const copied = await page.evaluate(() => navigator.clipboard.readText());
    equal(copied, `gitlab-runner register --url ${coordinator.url} --token ${token}`, 'the copied command');
    await page.getByRole('tab', { name: 'Windows' }).click();
    check((await page.getByRole('group', { name: 'Registration command' }).innerText()).includes('.\\gitlab-runner.exe register'), 'no command for Windows');
    await page.getByRole('tab', { name: 'Linux' }).click();
    // The command as the page gives it, pasted into the shell of a host; it asks for a name and for the executor.
    await page.getByText('Waiting for the host to register').waitFor();
    const host = coordinator.host();
    host.paste(copied, '\n\nshell\n');
    await page.getByText(/^Registered by/).filter({ hasText: host.systemId() }).waitFor();
    await page.getByText('waiting for the first poll').waitFor();
    const agent = host.start('gitlab-runner run');
    await page.getByText('It is online and ready to run jobs.').waitFor();
    agent.kill('SIGTERM');
    await until('the agent to end', () => agent.exitCode !== null || agent.signalCode !== null);
    await page.getByRole('link', { name: 'View runners' }).click();
    await page.getByRole('row').filter({ hasText: 'docker' }).getByText('Online').waitFor();
    await tab.accessible('the list of runners');
  },

  'walk: group runner by an owner': async ({ coordinator, open }) => {
    const tab = await open('olivia');
    await toGroupRunners(tab.page, 'Acme');
    await tab.page.getByRole('link', { name: 'New group runner' }).click();
    await tab.page.getByRole('heading', { name: 'New group runner' }).waitFor();
    const { token } = await fillAndSubmit(tab);
    await registers(tab, coordinator, token, 's_abcdef123456');
    const other = await open('max'); // Maintainer is not enough
    await toGroupRunners(other.page, 'Acme');
    equal(await other.page.getByRole('link', { name: 'New group runner' }).count(), 0, 'New group runner for a Maintainer');
    equal(await other.go('/groups/acme/-/runners/new'), 404, 'the form for a Maintainer');
  },

  'walk: project runner by a maintainer': async ({ coordinator, open }) => {
    const tab = await open('max');
    await toProjectRunners(tab.page, 'Website');
    await tab.accessible('CI/CD settings of a project');
    await tab.page.getByRole('link', { name: 'New project runner' }).click();
    await tab.page.getByRole('heading', { name: 'New project runner' }).waitFor();
    const { token } = await fillAndSubmit(tab, { more: (page) => page.getByLabel('Lock to current projects').check() });
    await registers(tab, coordinator, token, 's_fedcba654321');
    const developer = await open('dana');
    equal(await developer.go('/acme/website/-/runners/new'), 404, 'the form for a Developer');
    equal(await developer.go('/acme/website/-/settings/ci_cd'), 404, 'the settings for a Developer');
    const stranger = await open('sam');
    equal(await stranger.go('/acme/website'), 404, 'the project for a stranger');
    const nobody = await open('');
    await nobody.page.goto('/acme/website/-/settings/ci_cd');
    check(nobody.page.url().includes('/users/sign_in?redirect_to='), `anonymous is at ${nobody.page.url()}`);
  },

  'walk: the token is shown for a short time': async ({ coordinator, open, people }) => {
    await coordinator.api('PUT', `/users/${people.max.id}`, { admin: true });
    const tab = await open('root');
    await tab.go('/admin/runners/new');
    const { token, id } = await fillAndSubmit(tab);
    await tab.page.getByRole('button', { name: 'Copy registration command' }).click();
    await tab.page.reload();
    await tab.page.getByText(token).first().waitFor();
    const other = await open('max');
    await other.go(`/admin/runners/${id}/register`);
    await other.page.getByText('no longer visible').waitFor();
    check(!(await other.page.content()).includes(token), 'another administrator sees the token');
    await coordinator.contact(token, 's_123456abcdef');
    const again = await open('root');
    await again.go(`/admin/runners/${id}/register`);
    await again.page.getByText('no longer visible').waitFor();
    check(!(await again.page.getByRole('group', { name: 'Registration command' }).innerText()).includes('--token'), 'a --token line without token');
    check(!(await again.page.content()).includes(token), 'the token is shown after the first registration');
    await tab.go('/admin/runners/new'); // an hour later nobody sees it, though no host has come
    const late = await fillAndSubmit(tab);
    coordinator.age(late.id, 2 / 24);
    await again.go(`/admin/runners/${late.id}/register`);
    await again.page.getByText('no longer visible').waitFor();
    check(!(await again.page.content()).includes(late.token), 'the token is shown after an hour');
    await tab.page.getByRole('button', { name: 'Copy registration command' }).click(); // so that leaving asks nothing
  },

  'walk: feature flags hide the workflow': async ({ coordinator, open }) => {
    const admin = await open('root');
    const owner = await open('olivia');
    await coordinator.api('PUT', '/application/settings', { allow_runner_registration_token: true });
    await coordinator.api('POST', '/features/create_runner_workflow_for_admin', { value: false });
    await admin.go('/admin/runners');
    await admin.page.getByRole('button', { name: 'Register an instance runner' }).waitFor();
    equal(await admin.page.getByRole('link', { name: 'New instance runner' }).count(), 0, 'New instance runner, flag off');
    equal(await admin.go('/admin/runners/new'), 404, 'its page');
    await owner.go('/groups/acme/-/runners');
    await owner.page.getByRole('link', { name: 'New group runner' }).waitFor();
    await coordinator.api('POST', '/features/create_runner_workflow_for_namespace', { value: false });
    for (const [list, name, form] of [
      ['/groups/acme/-/runners', 'New group runner', '/groups/acme/-/runners/new'],
      ['/acme/website/-/settings/ci_cd#js-runners-settings', 'New project runner', '/acme/website/-/runners/new'],
    ]) {
      await owner.go(list);
      await owner.page.getByRole('button', { name: /^Register a (group|project) runner/ }).waitFor();
      equal(await owner.page.getByRole('link', { name }).count(), 0, `${name}, flag off`);
      equal(await owner.go(form), 404, `${form}, flag off`);
    }
  },

  'walk: one runner, two hosts': async ({ coordinator, open }) => {
    const made = await coordinator.api('POST', '/user/runners', { runner_type: 'instance_type', description: 'builders' });
    await coordinator.contact(made.token, 's_aaaaaaaaaaaa', '18.1.0');
    await coordinator.contact(made.token, 's_bbbbbbbbbbbb', '19.4.0');
    const tab = await open('root');
    await tab.go(`/admin/runners/${made.id}`);
    const managers = tab.page.getByRole('table', { name: 'Runner managers' });
    for (const [host, version] of [['s_aaaaaaaaaaaa', '18.1.0'], ['s_bbbbbbbbbbbb', '19.4.0']]) {
      const row = managers.getByRole('row').filter({ hasText: host });
      await row.waitFor();
      const text = await row.innerText();
      for (const part of [version, 'Online', 'linux', '127.0.0.1', 'shell']) check(text.includes(part), `${part} is missing in ${text}`);
    }
    await managers.getByRole('row').filter({ hasText: 's_aaaaaaaaaaaa' }).getByText(/^Upgrade (available|recommended)$/).waitFor();
    await tab.accessible('the page of a runner');
    equal(await managers.getByText('Possible clone').count(), 0, 'a warning of clones without reason');
    for (const version of ['18.1.0', '19.4.0', '18.1.0']) await coordinator.contact(made.token, 's_bbbbbbbbbbbb', version);
    await tab.page.reload();
    await managers.getByRole('row').filter({ hasText: 's_bbbbbbbbbbbb' }).getByText('Possible clone').waitFor();
    await tab.accessible('a runner with a possible clone');
  },

  'walk: ownership is kept': async ({ coordinator, open, group, people }) => {
    const token = await coordinator.api('POST', `/users/${people.olivia.id}/personal_access_tokens`, { name: 'mine', scopes: ['api'], expires_at: inDays(30) });
    const made = await coordinator.api('POST', '/user/runners', { runner_type: 'group_type', group_id: group.id, description: 'kept' }, token.token);
    await coordinator.contact(made.token, 's_aaaaaaaaaaaa');
    const tab = await open('root');
    await tab.go(`/admin/runners/${made.id}`);
    await tab.page.getByText(/Created .* by Olivia/).waitFor();
    await coordinator.api('DELETE', `/users/${people.olivia.id}`);
    const gone = () => coordinator.api('GET', `/runners/${made.id}`).then((runner) => runner.created_by === null);
    await until('the creator to be gone', gone);
    await tab.go('/admin/runners');
    await tab.page.getByRole('row').filter({ hasText: 'kept' }).getByText('Online').waitFor();
    equal((await coordinator.poll(made.token, 's_aaaaaaaaaaaa')).status, 204, 'a poll of the runner whose creator left');
  },

  'walk: attributes are entered in the form': async ({ coordinator, open }) => {
    const tab = await open('max');
    await tab.go('/acme/website/-/runners/new');
    await tab.page.getByRole('button', { name: 'Submit' }).click();
    await tab.page.locator('[aria-invalid="true"]').first().waitFor(); // neither tags nor untagged jobs
    const { id } = await fillAndSubmit(tab, {
      tags: 'mac, gdk,,mac ',
      more: async (page) => {
        await page.getByLabel('Runner description').fill('under the desk');
        await page.getByLabel('Maintenance note').fill('ask **Max**');
        for (const label of ['Paused', 'Protected', 'Lock to current projects', 'Run untagged jobs']) await page.getByLabel(label).check();
        await page.getByLabel('Maximum job timeout').fill('1200');
      },
    });
    const runner = await coordinator.api('GET', `/runners/${id}`);
    const { tag_list, description, maintenance_note, paused, access_level, locked, run_untagged, maximum_timeout } = runner;
    equal(
      { tag_list, description, maintenance_note, paused, access_level, locked, run_untagged, maximum_timeout },
      { tag_list: ['mac', 'gdk'], description: 'under the desk', maintenance_note: 'ask **Max**', paused: true, access_level: 'ref_protected', locked: true, run_untagged: true, maximum_timeout: 1200 },
      'the runner',
    );
    await tab.go(`/acme/website/-/runners/${id}/edit`);
    equal(await tab.page.getByLabel('Tags').inputValue(), 'mac, gdk', 'Tags in the edit form');
    check(await tab.page.getByLabel('Protected').isChecked(), 'Protected is not checked in the edit form');
    await tab.page.getByLabel('Paused').uncheck();
    await tab.page.getByRole('button', { name: 'Save changes' }).click();
    await tab.page.waitForURL(new RegExp(`runners/${id}$`));
    equal((await coordinator.api('GET', `/runners/${id}`)).paused, false, 'paused after the edit');
  },

  'walk: list, filter, pause, delete': async ({ coordinator, open }) => {
    const made = {};
    for (const [name, tags] of [['alpha', 'linux'], ['beta', 'windows'], ['gamma', 'linux']]) {
      made[name] = await coordinator.api('POST', '/user/runners', { runner_type: 'instance_type', description: name, tag_list: tags });
    }
    await coordinator.contact(made.alpha.token, 's_aaaaaaaaaaaa');
    const tab = await open('root');
    const { page } = tab;
    await tab.go('/admin/runners?tag[]=linux');
    const rows = page.getByRole('table', { name: 'Runners' }).getByRole('row');
    await rows.filter({ hasText: 'gamma' }).waitFor();
    equal(await rows.count(), 3, 'rows with the tag linux, and the head');
    await page.getByRole('button', { name: /^Online/ }).click();
    await rows.filter({ hasText: 'gamma' }).waitFor({ state: 'detached' });
    check(page.url().includes('status'), `the filter is not in ${page.url()}`);
    await tab.go('/admin/runners?search=bet');
    await rows.filter({ hasText: 'beta' }).getByRole('button', { name: 'Pause' }).click();
    await rows.filter({ hasText: 'beta' }).getByText('Paused', { exact: true }).waitFor();
    equal((await coordinator.api('GET', `/runners/${made.beta.id}`)).paused, true, 'paused');
    await rows.filter({ hasText: 'beta' }).getByRole('button', { name: 'Resume' }).click();
    await until('the runner to go on', async () => !(await coordinator.api('GET', `/runners/${made.beta.id}`)).paused);
    await tab.go('/admin/runners');
    await rows.filter({ hasText: 'alpha' }).getByRole('button', { name: 'Delete' }).click();
    await page.getByRole('dialog').getByText(/^Delete runner #\d+ \(.{8}\)\?$/).waitFor();
    await tab.accessible('the dialog before a runner is deleted');
    await page.getByRole('button', { name: 'Permanently delete runner' }).click();
    await rows.filter({ hasText: 'alpha' }).waitFor({ state: 'detached' });
    for (const name of ['beta', 'gamma']) await rows.filter({ hasText: name }).getByRole('checkbox').check();
    const paused = async () => (await coordinator.api('GET', '/runners/all?paused=true')).length;
    await page.getByRole('button', { name: 'Pause selected' }).click();
    await until('both to be paused', async () => (await paused()) === 2);
    for (const name of ['beta', 'gamma']) await rows.filter({ hasText: name }).getByText('Paused', { exact: true }).waitFor();
    await page.getByRole('button', { name: 'Resume selected' }).click();
    await until('both to go on', async () => (await paused()) === 0);
    await page.getByRole('button', { name: 'Delete selected' }).click();
    await page.getByRole('button', { name: 'Permanently delete 2 runners' }).click();
    await page.getByText('Get started with runners').waitFor();
    equal((await coordinator.api('GET', '/runners/all')).length, 0, 'runners left');
  },

  'walk: stale runners are cleaned up': async ({ coordinator, open }) => {
    const made = {};
    for (const name of ['forgotten', 'new']) made[name] = await coordinator.api('POST', '/user/runners', { runner_type: 'instance_type', description: name });
    coordinator.age(made.forgotten.id, 40);
    const tab = await open('root');
    const { page } = tab;
    await tab.go('/admin/runners?status[]=stale');
    await page.getByRole('table', { name: 'Runners' }).getByText('forgotten').waitFor();
    await tab.go('/admin/application_settings/ci_cd');
    await page.getByRole('button', { name: /Expand.*Stale runner cleanup|Stale runner cleanup.*Expand/ }).click();
    await page.getByLabel('Instance runners', { exact: true }).check();
    const days = page.getByLabel('Days without contact');
    await days.fill('3');
    await page.getByRole('button', { name: 'Show what would be removed' }).click();
    await page.getByText('at least 7').waitFor(); // sooner is refused
    await days.fill('60');
    await page.getByRole('button', { name: 'Show what would be removed' }).click();
    await page.getByText('Nothing would be removed now.').waitFor();
    await days.fill('30');
    await page.getByRole('button', { name: 'Show what would be removed' }).click();
    await page.getByText('1 runner would be removed:').waitFor();
    await page.getByRole('listitem').filter({ hasText: 'forgotten' }).waitFor();
    await tab.accessible('what the clean-up would remove');
    await page.getByRole('button', { name: 'Save and remove them now' }).click();
    await page.getByRole('button', { name: 'Permanently delete runners' }).click();
    await page.getByText('1 stale runner was removed').waitFor();
    equal((await coordinator.api('GET', '/runners/all')).map((runner) => runner.description), ['new'], 'what is left');
    equal((await coordinator.api('GET', '/application/settings')).stale_runner_cleanup_age_days, 30, 'the saved age');
  },

  'walk: assign a runner to another project': async ({ coordinator, open, project, other }) => {
    const made = await coordinator.api('POST', '/user/runners', { runner_type: 'project_type', project_id: project.id, description: 'shared one' });
    const tab = await open('max');
    const { page } = tab;
    await tab.go('/acme/labs/shop/-/settings/ci_cd#js-runners-settings');
    await page.getByRole('button', { name: 'Enable for this project' }).click();
    await until('the assignment', async () => (await coordinator.api('GET', `/runners/${made.id}`)).projects.length === 2);
    await page.getByRole('button', { name: 'Disable for this project' }).click();
    await page.getByRole('dialog').getByRole('button', { name: /Disable/ }).click();
    await until('the end of it', async () => (await coordinator.api('GET', `/runners/${made.id}`)).projects.length === 1);
    check((await coordinator.api('GET', `/projects/${other.id}/runners`)).every((runner) => runner.id !== made.id), 'still assigned');
  },

  'walk: reset an authentication token': async ({ coordinator, open }) => {
    const made = await coordinator.api('POST', '/user/runners', { runner_type: 'instance_type', description: 'leaky' });
    await coordinator.contact(made.token, 's_aaaaaaaaaaaa');
    const tab = await open('root');
    await tab.go(`/admin/runners/${made.id}/edit`);
    await tab.page.getByRole('button', { name: 'Reset authentication token' }).click();
    await tab.page.getByRole('button', { name: 'Reset token' }).click();
    const fresh = await tab.page.getByRole('textbox', { name: 'New runner authentication token' }).inputValue();
    check(fresh.startsWith('glrt-') && fresh !== made.token, 'no new token');
    equal((await coordinator.poll(made.token, 's_aaaaaaaaaaaa')).status, 403, 'a poll with the old token');
    equal((await coordinator.poll(fresh, 's_aaaaaaaaaaaa')).status, 204, 'a poll with the new token');
  },
};

export function inDays(days) {
  return new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10);
}
