import type { Tone } from '../components/Badge.svelte'
import { explain } from './explain'
import { i18n } from './i18n.svelte'
import type { Notice } from './news.svelte'
import { statusTone } from './tones'
import type { Operation } from './wire.gen'

/** A line of news in words. */
export interface Told {
  tone: Tone
  title: string
  /** Its phase or outcome. */
  status: string
  /** Why, in short. */
  detail: string
}

/** What a record is about, in a line. */
export function titleOf({ logType, target }: Operation): string {
  const words = i18n.t.logTypes[logType] ?? logType
  // Which process it is, the message tells better than pid:startTime.
  return logType === 'process.signal' ? words : `${words}: ${target}`
}

/** A record's message without what the title says already. */
export function reasonOf({ message, target }: Operation): string {
  const said = `${target}: `
  return message.startsWith(said) ? message.slice(said.length) : message
}

export function told({ what, operation, refusal, unsure }: Notice): Told {
  const { t } = i18n
  if (operation) {
    const { retStatus } = operation
    const status = t.retStatus[retStatus]
    return {
      tone: statusTone(retStatus),
      title: titleOf(operation),
      status,
      detail: reasonOf(operation),
    }
  }
  if (!refusal) return { tone: 'busy', title: what, status: t.toasts.asked, detail: '' }
  const { title, detail } = explain(refusal)
  return unsure
    ? { tone: 'warn', title: what, status: title, detail: t.toasts.unsure }
    : { tone: 'bad', title: what, status: title, detail }
}
