// What an access token may be used for, in words.
export const kScopes: { value: string; text: string; admin?: boolean }[] = [
  { value: 'api', text: 'Complete access to the API, reading and writing.' },
  { value: 'read_api', text: 'Reading access to the API.' },
  { value: 'read_user', text: 'Reading your own profile.' },
  { value: 'create_runner', text: 'Creating runners.' },
  { value: 'manage_runner', text: 'Managing runners.' },
  { value: 'read_repository', text: 'Reading repositories with git over HTTP.' },
  { value: 'write_repository', text: 'Reading and writing repositories with git over HTTP.' },
  { value: 'self_rotate', text: 'Rotating this token by itself.' },
  { value: 'sudo', text: 'Acting as any other person.', admin: true },
  { value: 'admin_mode', text: 'Administration when admin mode is on.', admin: true },
]

export const kRoles = [
  { value: 10, text: 'Guest' },
  { value: 20, text: 'Reporter' },
  { value: 30, text: 'Developer' },
  { value: 40, text: 'Maintainer' },
  { value: 50, text: 'Owner' },
]

export const roleName = (level: number): string => kRoles.find((role) => role.value === level)?.text ?? `Level ${level}`
