import { access } from './en/access'
import { acts } from './en/acts'
import { common } from './en/common'
import { connection } from './en/connection'
import { ending } from './en/ending'
import { factor } from './en/factor'
import { host } from './en/host'
import { journal } from './en/journal'
import { list } from './en/list'
import { log } from './en/log'
import { overview } from './en/overview'
import { process } from './en/process'
import { processes } from './en/processes'
import { service } from './en/service'
import { services } from './en/services'
import { sockets } from './en/sockets'

/** Every text of the app, a file for each page. The other languages have the same keys, or do not pass the type check. */
export const en = {
  ...access,
  ...acts,
  ...common,
  ...connection,
  ...ending,
  ...factor,
  ...host,
  ...journal,
  ...list,
  ...log,
  ...overview,
  ...process,
  ...processes,
  ...service,
  ...services,
  ...sockets,
}

export type Catalogue = typeof en
