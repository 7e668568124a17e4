// Signing in and out, access tokens, members, users, settings, the audit log.
import { check, equal, password, until } from './support.mjs';

async function makeToken(tab, address, { role, scope = 'api' } = {}) {
  const { page } = tab;
  await tab.go(address);
  await page.getByRole('button', { name: 'Add new token' }).click();
  await page.getByLabel('Token name').fill('for runners');
  if (role) await page.getByLabel('Select a role').selectOption({ label: role });
  await page.getByLabel(scope, { exact: true }).check();
  await page.getByRole('button', { name: /^Create \w+ access token$/ }).click();
  const token = await page.getByRole('textbox', { name: 'New access token' }).or(page.getByLabel('New access token', { exact: true })).first().inputValue();
  check(token.startsWith('glpat-'), `an access token is not ${token}`);
  await tab.accessible('access tokens');
  return token;
}

export const peopleWalks = {
  'walk: sign in and out': async ({ coordinator, open }) => {
    const tab = await open('');
    const { page } = tab;
    await page.goto('/admin/runners');
    await page.getByLabel(/user ?name/i).fill('root');
    await page.getByLabel('Password', { exact: true }).fill('wrong');
    await page.getByRole('button', { name: 'Sign in', exact: true }).click();
    await page.getByText('Invalid login or password.').waitFor();
    await tab.accessible('the sign-in page');
    await page.getByLabel('Password', { exact: true }).fill(password);
    await page.getByRole('button', { name: 'Sign in', exact: true }).click();
    await page.waitForURL(/\/admin\/runners$/); // where one wanted to go
    await page.getByRole('button', { name: /your menu/ }).click();
    await page.getByRole('menuitem', { name: 'Sign out' }).click();
    await page.waitForURL(/sign_in/);
    const answer = await page.request.get('/-/web/overview');
    equal(answer.status(), 401, 'a request after signing out');
    check(coordinator.log !== undefined && !coordinator.log.includes(password), 'a password is in the log');
  },

  'walk: signing out while the password is being changed': async ({ open }) => {
    const tab = await open('sam');
    const { page } = tab;
    await tab.go('/-/user_settings/profile');
    await page.getByLabel('Current password').fill(password);
    await page.getByLabel('New password', { exact: true }).fill('another horse battery');
    await page.getByLabel('New password again').fill('another horse battery');
    let send = () => {};
    const held = new Promise((arrived) => {
      void page.route('**/-/web/password', async (route) => {
        arrived();
        await new Promise((go) => (send = go));
        await route.continue();
      });
    });
    await page.getByRole('button', { name: 'Change password' }).click();
    await held;
    await page.getByRole('button', { name: /your menu/ }).click();
    await page.getByRole('menuitem', { name: 'Sign out' }).click();
    send();
    await page.waitForURL(/sign_in/);
    equal((await page.request.get('/-/web/sessions')).status(), 401, 'a request after signing out');
    await page.getByLabel(/user ?name/i).fill('sam');
    await page.getByLabel('Password', { exact: true }).fill('another horse battery');
    await page.getByRole('button', { name: 'Sign in', exact: true }).click();
    await page.waitForURL((url) => !url.pathname.includes('sign_in'));
  },

  'walk: personal access token': async ({ coordinator, open, group }) => {
    const tab = await open('olivia');
    const token = await makeToken(tab, '/-/user_settings/personal_access_tokens');
    await coordinator.api('POST', '/user/runners', { runner_type: 'group_type', group_id: group.id }, token);
    await tab.page.reload();
    await tab.page.getByRole('row').filter({ hasText: 'for runners' }).waitFor();
    check(!(await tab.page.content()).includes(token), 'the token is shown again');
    await tab.page.getByRole('button', { name: 'Revoke for runners' }).click();
    await tab.page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click();
    await until('the token to end', () => coordinator.api('GET', '/user', undefined, token).then(() => false, () => true));
  },

  'walk: group access token': async ({ coordinator, open, group }) => {
    const tab = await open('olivia');
    const token = await makeToken(tab, '/groups/acme/-/settings/access_tokens', { role: 'Owner' });
    await coordinator.api('POST', '/user/runners', { runner_type: 'group_type', group_id: group.id, 'tag-list': 'java,linux' }, token);
  },

  'walk: project access token': async ({ coordinator, open, project }) => {
    const tab = await open('max');
    const token = await makeToken(tab, '/acme/website/-/settings/access_tokens', { role: 'Maintainer', scope: 'create_runner' });
    await coordinator.api('POST', '/user/runners', { runner_type: 'project_type', project_id: project.id }, token);
  },

  'walk: members': async ({ coordinator, open, project, people }) => {
    const tab = await open('olivia');
    const { page } = tab;
    await tab.go('/acme/website/-/project_members');
    await page.getByRole('button', { name: 'Add member' }).click();
    await page.getByRole('dialog').getByLabel('Username').fill('sam');
    await page.getByRole('dialog').getByLabel('Role').selectOption({ label: 'Reporter' });
    await page.getByRole('dialog').getByRole('button', { name: 'Add', exact: true }).click();
    await page.getByRole('row').filter({ hasText: '@sam' }).waitFor();
    await tab.accessible('members');
    const level = async () => (await coordinator.api('GET', `/projects/${project.id}/members/${people.sam.id}`)).access_level;
    equal(await level(), 20, 'the role');
    await page.getByLabel('Role of Sam').selectOption({ label: 'Developer' });
    await until('the new role', async () => (await level()) === 30);
    await page.getByRole('button', { name: 'Remove Sam' }).click();
    await page.getByRole('button', { name: 'Remove member' }).click();
    await page.getByRole('row').filter({ hasText: '@sam' }).waitFor({ state: 'detached' });
  },

  'walk: administration': async ({ coordinator, open, people }) => {
    const tab = await open('root');
    const { page } = tab;
    await coordinator.api('POST', '/user/runners', { runner_type: 'instance_type', description: 'audited' });
    for (const address of ['/admin', '/admin/users', '/admin/audit_log', '/admin/users/sam']) {
      equal(await tab.go(address), 200, address);
      await tab.accessible(address);
    }
    await tab.go('/admin/audit_log');
    await page.getByRole('table').getByText(/runner.created/i).first().waitFor();
    await tab.go('/admin/users');
    await page.getByText('@sam').first().waitFor();
    const sam = await open('sam');
    await coordinator.api('POST', `/users/${people.sam.id}/block`);
    await sam.page.goto('/dashboard/projects');
    await sam.page.waitForURL(/sign_in/);
    equal(await (await open('dana')).go('/admin'), 404, 'the Admin Area for others');
  },

  'walk: a runner by keyboard alone': async ({ coordinator, open }) => {
    const tab = await open('root');
    const { page } = tab;
    const at = () => page.evaluate(() => {
      const one = document.activeElement;
      return (one.getAttribute('aria-label') ?? one.textContent ?? '').trim().replace(/\s+/g, ' ') + (one.labels?.[0]?.textContent ?? '');
    });
    // Tab until the focus is there; it must be visible at every stop.
    const to = async (name) => {
      for (let stops = 0; stops < 60; ++stops) {
        await page.keyboard.press('Tab');
        const seen = await page.evaluate(() => {
          const one = document.activeElement;
          const style = getComputedStyle(one);
          const ring = (element) => element && getComputedStyle(element).outlineStyle !== 'none';
          return one === document.body || style.outlineStyle !== 'none' || ring(one.closest('label')) || ring(one.parentElement);
        });
        check(seen, `no focus ring at ${await at()}`);
        if (name.test(await at())) return;
      }
      throw new Error(`${name} cannot be reached with Tab`);
    };
    await to(/switch to another place/);
    await page.keyboard.press('Enter');
    await page.getByRole('menu').waitFor();
    await page.keyboard.press('End');
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/admin$/);
    await tab.settled();
    await to(/^CI\/CD$/);
    await page.keyboard.press('Enter');
    await to(/^Runners$/);
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/admin\/runners$/);
    await tab.settled();
    await to(/^New instance runner$/);
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/admin\/runners\/new$/);
    await tab.settled();
    await to(/Linux/);
    await page.keyboard.press('ArrowRight');
    equal(await page.getByRole('radio', { name: 'macOS' }).isChecked(), true, 'macOS by the arrow key');
    await to(/^Tags/);
    await page.keyboard.type('macos');
    await to(/^Submit$/);
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/register\?platform=osx$/);
    await tab.settled();
    await to(/^Copy registration command$/);
    await page.keyboard.press('Enter');
    await until('the command in the clipboard', async () => (await page.evaluate(() => navigator.clipboard.readText())).includes('--token glrt-'));
    equal((await coordinator.api('GET', '/runners/all'))[0].description, null, 'the runner');
  },

  'walk: keyboard and small screens': async ({ open }) => {
    const tab = await open('root', { viewport: { width: 390, height: 780 }, colorScheme: 'dark' });
    const { page } = tab;
    await tab.go('/admin/runners');
    check(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'the list of runners is wider than a phone');
    await tab.accessible('the list of runners on a phone, dark');
    await page.keyboard.press('Tab');
    equal(await page.evaluate(() => document.activeElement.textContent.trim()), 'Skip to content', 'the first stop of Tab');
    await page.keyboard.press('/');
    await page.getByRole('combobox', { name: 'Search groups and projects' }).fill('website');
    await page.getByRole('option').first().filter({ hasText: 'acme/website' }).waitFor();
    await page.keyboard.press('Enter');
    await page.waitForURL(/acme\/website/);
    await tab.settled();
    check(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'a project is wider than a phone');
    await tab.accessible('a project on a phone, dark');
    for (const width of [360, 800, 1000]) { // tables become cards before they grow wider than their room
      await page.setViewportSize({ width, height: 780 });
      for (const address of ['/admin/runners', '/admin/users', '/admin/audit_log']) {
        await tab.go(address);
        await page.getByRole('table').or(page.getByText('Get started with runners')).first().waitFor();
        check(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${address} is wider than ${width} pixels`);
      }
    }
  },
};
