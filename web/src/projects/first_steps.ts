// Commands that bring the first commits into an empty project. Pure.

export interface Facts {
  url: string
  path: string
  branch: string
  name: string
  email: string
}

// A word of a command line; quoted only where a shell would take it apart.
export function word(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replace(/'/g, `'\\''`)}'`
}

export function firstSteps(facts: Facts): { heading: string; lines: string[] }[] {
  const { url, path, branch } = facts
  const identity = facts.email
    ? [{ heading: 'Git global setup', lines: [`git config --global user.name ${word(facts.name)}`, `git config --global user.email ${word(facts.email)}`] }]
    : []
  return [
    ...identity,
    {
      heading: 'Create a new repository',
      lines: [
        `git clone ${word(url)}`,
        `cd ${word(path)}`,
        `git switch --create ${word(branch)}`,
        'touch README.md',
        'git add README.md',
        'git commit -m "Add README"',
        `git push --set-upstream origin ${word(branch)}`,
      ],
    },
    {
      heading: 'Push an existing folder',
      lines: [
        'cd existing_folder',
        `git init --initial-branch=${word(branch)}`,
        `git remote add origin ${word(url)}`,
        'git add .',
        'git commit -m "Initial commit"',
        `git push --set-upstream origin ${word(branch)}`,
      ],
    },
    {
      heading: 'Push an existing Git repository',
      lines: [
        'cd existing_repo',
        'git remote rename origin old-origin',
        `git remote add origin ${word(url)}`,
        'git push --set-upstream origin --all',
        'git push --set-upstream origin --tags',
      ],
    },
  ]
}
