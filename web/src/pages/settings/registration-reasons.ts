// Why something about runners is not possible here, in words that name who decided it.
const kCreate: Record<string, string> = {
  flag: 'Creating runners in groups and projects is switched off for this instance (feature flag create_runner_workflow_for_namespace).',
  registrars: 'The administrators of this instance do not let members create runners here.',
  group_disabled: 'A group above does not allow new runners.',
  role: 'Your role does not let you create runners here.',
  archived: 'The project is archived.',
}

export const createReason = (reason: string | null): string => (reason ? (kCreate[reason] ?? 'Runners cannot be created here.') : '')

const kLocks: Record<string, string> = {
  instance: 'Switched off for the whole instance by its administrators.',
  parent: 'Decided by a group above.',
  role: 'Only administrators can change this.',
}

export const lockReason = (reason: string | null | undefined): string => (reason ? (kLocks[reason] ?? 'Cannot be changed here.') : '')
