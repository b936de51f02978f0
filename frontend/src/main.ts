import { mount } from 'svelte'
import './app.css'
import App from './App.svelte'
import { session } from './lib/app.svelte'
import { density } from './lib/density.svelte'
import { keepFocus } from './lib/focus'
import { i18n } from './lib/i18n.svelte'
import { router } from './lib/router.svelte'
import { takeToken } from './lib/setup'
import { theme } from './lib/theme.svelte'

theme.start()
density.start()
i18n.start()
const token = takeToken()
router.start()
keepFocus()
void session.load()

const target = document.getElementById('app')
if (target) mount(App, { target, props: { token } })
