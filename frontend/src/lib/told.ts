import type { Tone } from '../components/Badge.svelte'
import { explain } from './explain'
import { dateTime } from './format'
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
  return logType.startsWith('process.') ? words : words + i18n.t.colon + target
}

/** What the type and the outcome of a record say already, at the start of its message or as all of it. */
const repeated = [
  /^(?:start|stop|restart|reload) (?:done|failed)(?:; |: |, (?:but )?|$)/,
  /^(?:启动|停止|重启|重新加载)(?:完成|失败)(?:；|：|，但?|$)/,
  /^sign-in refused: /,
  /^登录被拒绝：/,
]
/** And of a command, whose name its line has. */
const repeatedOfCommand = /^\S+ (?:ended well|正常结束)(?:; |；|$)|^\S+ (?:failed, |失败，)/

/** A record's message without what is said beside it: its target, its type and how it ended. */
export function reasonOf({ message, logType, target, retStatus }: Operation): string {
  if (message === retStatus) return ''
  let said = i18n.say(message)
  for (const before of [`${target}: `, `${target}：`])
    if (said.startsWith(before)) said = said.slice(before.length)
  for (const words of logType === 'command.run' ? [repeatedOfCommand] : repeated)
    said = said.replace(words, '')
  return said
}

/** Lines of the journal in a record's detail, which begin with a time in UTC, with it as other times are shown. */
export function linesOf(detail: string): string {
  return detail.replace(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ(?= .*?\[\d+\]: )/gm, dateTime)
}

export function told({ what, operation, refusal, unsure, absent }: Notice): Told {
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
  if (absent) return { tone: 'bad', title: what, status: title, detail: t.toasts.absent }
  return unsure
    ? { tone: 'warn', title: what, status: title, detail: t.toasts.unsure }
    : { tone: 'bad', title: what, status: title, detail }
}
