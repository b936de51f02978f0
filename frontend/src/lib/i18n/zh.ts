import type { Catalogue } from './en'
import { access } from './zh/access'
import { acts } from './zh/acts'
import { common } from './zh/common'
import { connection } from './zh/connection'
import { ending } from './zh/ending'
import { factor } from './zh/factor'
import { host } from './zh/host'
import { journal } from './zh/journal'
import { list } from './zh/list'
import { log } from './zh/log'
import { overview } from './zh/overview'
import { process } from './zh/process'
import { processes } from './zh/processes'
import { service } from './zh/service'
import { services } from './zh/services'
import { sockets } from './zh/sockets'

export const zh: Catalogue = {
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
