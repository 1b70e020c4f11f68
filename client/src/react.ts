import { createContext, createElement, useContext, useEffect, useState, useSyncExternalStore, type ReactNode } from 'react'

import type { Claims, Client, SessionState } from './index.js'

const Context = createContext<Client | null>(null)

/** Gives a client to the components below it. */
export function CloakroomProvider(props: { client: Client; children?: ReactNode }): ReactNode {
  return createElement(Context.Provider, { value: props.client }, props.children)
}

/** The client of the nearest CloakroomProvider; it throws without one. */
export function useCloakroom(): Client {
  const client = useContext(Context)
  if (!client) throw new Error('useCloakroom: there is no <CloakroomProvider client={…}> above this component')
  return client
}

const unknown: SessionState = { status: 'unknown' }

/** Where this browser stands; the component is drawn anew when that changes, in whichever tab it was done. */
export function useSession(): SessionState {
  const { session } = useCloakroom()
  return useSyncExternalStore(session.subscribe, session.get, () => unknown)
}

/** The claims of whoever is logged in, null for nobody, undefined until that is known. */
export function useUser(): Claims | null | undefined {
  const client = useCloakroom()
  const state = useSession()
  const { status } = state
  const whose = state.status === 'active' ? `${state.session.provider} ${state.session.subject} ${state.session.created_at}` : ''
  const [user, setUser] = useState<Claims | null | undefined>(undefined)
  useEffect(() => {
    if (status === 'anonymous' || status === 'ended') {
      setUser(null)
      return
    }
    let current = true
    client.user({ slide: false }).then((claims) => { if (current) setUser(claims) }, () => {}) // an outage: what was known stays
    return () => { current = false }
  }, [client, status, whose])
  return user
}
