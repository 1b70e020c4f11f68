import { createContext, createElement, useContext, useEffect, useState, useSyncExternalStore, type ReactNode } from 'react'

import type { Claims, Client, SessionState } from './index.js'

const Context = createContext<Client | null>(null)

/** Provides a client to the components below it. */
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

/** The state of this browser's session. The component renders again when it changes, in whichever tab. */
export function useSession(): SessionState {
  const { session } = useCloakroom()
  return useSyncExternalStore(session.subscribe, session.get, () => unknown)
}

/** The user's claims; null if nobody is logged in, undefined until that is known. */
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
    client.user({ slide: false }).then((claims) => { if (current) setUser(claims) }, () => {}) // an outage changes nothing
    return () => { current = false }
  }, [client, status, whose])
  return user
}
