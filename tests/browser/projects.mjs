// What stands around the runners: projects, pipelines with their graph, a job's live log, artifacts.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { check, equal, until } from './support.mjs';
import { find } from './runners.mjs';

const pipeline = `
stages: [build, test, deploy]
compile:
  stage: build
  script: [make]
  artifacts: {paths: [out/]}
unit:
  stage: test
  needs: [compile]
  script: [make test]
lint:
  stage: test
  needs: []
  allow_failure: true
  script: [make lint]
release:
  stage: deploy
  when: manual
  script: [make release]
`;

const escape = '\u001b';
const log = [
  `${escape}[0KRunning with gitlab-runner 19.4.0${escape}[0;m\n`,
  `${escape}[0Ksection_start:1700000000:prepare_script\r${escape}[0K${escape}[36;1mPreparing environment${escape}[0;m\n`,
  'Running on a host\n',
  `section_end:1700000003:prepare_script\r${escape}[0K`,
  `${escape}[32;1m$ make${escape}[0;m\n`,
  '<img src=x onerror="document.title=1"> <script>document.title=2</script>\n',
  'see https://example.com/page?a=1 and javascript:alert(1)\n',
].join('');

async function started(context) {
  const { coordinator, project } = context;
  coordinator.push(project, { '.gitlab-ci.yml': pipeline, Makefile: 'all:\n' }, 'Compile <b>everything</b>');
  const [made] = await until('the pipeline', async () => {
    const list = await coordinator.api('GET', `/projects/${project.id}/pipelines`);
    return list.length && list;
  });
  const runner = await coordinator.api('POST', '/user/runners', { runner_type: 'instance_type', description: 'the <i>builder</i>' });
  return { pipeline: made, runner };
}

// The next job that the runner gets.
const next = (coordinator, runner) => until('a job', async () => {
  const answer = await coordinator.poll(runner.token, 's_aaaaaaaaaaaa');
  return answer.status === 201 && answer.json;
});

export const projectWalks = {
  'walk: pipeline graph, live log, artifacts': async (context) => {
    const { coordinator, open, project } = context;
    const { pipeline: made, runner } = await started(context);
    const tab = await open('dana');
    const { page } = tab;
    await find(page, 'Website');
    await page.waitForURL(/acme\/website/);
    await tab.accessible('a project');
    await tab.go('/acme/website/-/pipelines');
    await page.getByRole('link', { name: 'Compile <b>everything</b>' }).waitFor();
    await tab.accessible('pipelines');
    await tab.go(`/acme/website/-/pipelines/${made.id}`);
    for (const name of ['compile', 'unit', 'lint', 'release']) await page.getByRole('link', { name: new RegExp(`${name}$`) }).waitFor();
    await tab.accessible('a pipeline');
    await page.getByRole('tab', { name: /needs/i }).click();
    await tab.accessible('a pipeline by needs');

    const jobs = [await next(coordinator, runner), await next(coordinator, runner)]; // compile, and lint, which needs nothing
    const compile = jobs.find((job) => job.job_info.name === 'compile');
    const lint = jobs.find((job) => job.job_info.name === 'lint');
    check(compile && lint, 'not the jobs that were expected');
    await tab.go(`/acme/website/-/jobs/${compile.id}`);
    let sent = await coordinator.trace(compile, log);
    await page.getByText('Running on a host').waitFor();
    await page.getByText('<img src=x onerror=').waitFor();
    equal(await page.locator('img[src="x"]').count(), 0, 'elements out of a log');
    check(!/^[12]$/.test(await page.title()), 'a script out of a log ran');
    equal(await page.getByRole('link', { name: 'https://example.com/page?a=1' }).getAttribute('href'), 'https://example.com/page?a=1', 'a link in a log');
    equal(await page.getByRole('link', { name: /javascript/ }).count(), 0, 'a javascript: link');
    sent = await coordinator.trace(compile, 'added while one looks\n', sent);
    await page.getByText('added while one looks').waitFor();
    await tab.accessible('a job');

    const tree = join(coordinator.directory, 'artifacts');
    mkdirSync(join(tree, 'out/deep'), { recursive: true });
    writeFileSync(join(tree, 'out/app.txt'), 'the program');
    writeFileSync(join(tree, 'out/deep/page.html'), '<script>document.title=3</script>');
    execFileSync('python3', ['-c', 'import shutil,sys; shutil.make_archive(sys.argv[1], "zip", sys.argv[1])', tree]);
    await coordinator.upload(compile, `${tree}.zip`);
    await coordinator.finish(compile);
    await page.getByText('Passed', { exact: true }).first().waitFor();
    const download = page.waitForEvent('download');
    await page.getByRole('link', { name: 'Download' }).click();
    equal((await download).suggestedFilename(), 'artifacts.zip', 'the downloaded archive');
    await page.getByRole('link', { name: 'Browse' }).click();
    await page.getByRole('link', { name: 'out' }).click();
    await page.getByRole('link', { name: 'app.txt' }).waitFor();
    await tab.accessible('artifacts');
    const file = page.waitForEvent('download');
    await page.getByRole('link', { name: 'app.txt' }).click();
    equal(readFileSync(await (await file).path(), 'utf8'), 'the program', 'a file out of the archive');
    await page.getByRole('link', { name: 'deep' }).click();
    const script = page.waitForEvent('download'); // never shown: it comes from a job
    await page.getByRole('link', { name: 'page.html' }).click();
    equal((await script).suggestedFilename(), 'page.html', 'a page out of the archive');
    await page.getByRole('navigation', { name: 'Folders' }).getByRole('link', { name: 'Artifacts' }).click();
    await page.getByRole('link', { name: 'out' }).waitFor();

    await coordinator.finish(lint, 'failed', { failure_reason: 'script_failure', exit_code: 1 });
    await coordinator.finish(await next(coordinator, runner));
    await tab.go(`/acme/website/-/pipelines/${made.id}`);
    await page.getByRole('button', { name: /release$/ }).click(); // the manual job
    const release = await next(coordinator, runner);
    equal(release.job_info.name, 'release', 'the job that was played');
    await page.getByRole('button', { name: 'Cancel release' }).click();
    await until('the cancel', async () => /cancel/.test((await coordinator.api('GET', `/projects/${project.id}/jobs/${release.id}`)).status));
    await tab.go(`/acme/website/-/jobs/${lint.id}`);
    await page.getByRole('button', { name: 'Retry' }).click();
    await page.waitForURL((url) => !url.pathname.endsWith(`/${lint.id}`));
    equal((await next(coordinator, runner)).job_info.name, 'lint', 'the job that was retried');
  },

  'walk: log sections, search, line links': async (context) => {
    const { coordinator, open } = context;
    const { runner } = await started(context);
    const job = await next(coordinator, runner);
    const many = Array.from({ length: 3000 }, (_, index) => `line number ${index + 1}\n`).join('');
    const sent = await coordinator.trace(job, log);
    await coordinator.trace(job, many, sent);
    await coordinator.finish(job);
    const tab = await open('dana');
    const { page } = tab;
    await tab.go(`/acme/website/-/jobs/${job.id}`);
    const section = page.getByRole('button', { name: 'Section prepare_script' });
    await section.waitFor();
    await page.getByText('Running on a host').waitFor();
    await section.click();
    await page.getByText('Running on a host').waitFor({ state: 'detached' });
    await page.getByRole('searchbox', { name: 'Search job log' }).fill('number 2718');
    await page.keyboard.press('Enter');
    await page.getByText('line number 2718').first().waitFor();
    await tab.go(`/acme/website/-/jobs/${job.id}#L1500`);
    await page.getByText(/line number 14\d\d/).first().waitFor();
    check((await page.locator('body').evaluate((body) => body.querySelectorAll('*').length)) < 6000, 'every line of a long log is in the page');
  },

  'walk: a job that is stuck': async (context) => {
    const { coordinator, open, project } = context;
    coordinator.push(project, { '.gitlab-ci.yml': 'only:\n  tags: [sparc]\n  script: [make]\n' });
    const tab = await open('max');
    const [job] = await until('the job', async () => {
      const list = await coordinator.api('GET', `/projects/${project.id}/jobs`);
      return list.length && list;
    });
    await tab.go(`/acme/website/-/jobs/${job.id}`);
    await tab.page.getByText('This job is stuck').first().waitFor();
    await tab.accessible('a job that is stuck');
  },

  'walk: a new project and its pipeline': async ({ coordinator, open }) => {
    const tab = await open('olivia');
    const { page } = tab;
    await tab.go('/dashboard/projects');
    await tab.accessible('your projects');
    await page.getByRole('link', { name: 'New project' }).first().click();
    await page.getByLabel('Project name').fill('Bakery');
    await page.getByRole('button', { name: 'Create project' }).click();
    await page.getByText(/git (clone|push|remote)/).first().waitFor();
    await tab.accessible('an empty project');
    const path = new URL(page.url()).pathname.slice(1);
    const project = await coordinator.api('GET', `/projects/${encodeURIComponent(path)}`);
    coordinator.push(project, { '.gitlab-ci.yml': 'bake:\n  script: [echo "$FLOUR"]\n  rules:\n    - if: $CI_PIPELINE_SOURCE == "web" || $CI_PIPELINE_SOURCE == "api"\n' });
    await tab.go(`/${path}/-/pipelines`);
    await page.getByRole('link', { name: 'Run pipeline' }).click();
    await page.getByRole('button', { name: 'Run pipeline' }).click();
    await page.waitForURL(/pipelines\/\d+$/);
    await page.getByRole('link', { name: /bake$/ }).waitFor();
  },
};
