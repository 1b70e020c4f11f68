// src/react.ts
import { createContext, createElement, useContext, useEffect, useState, useSyncExternalStore } from "react";
var Context = createContext(null);
function CloakroomProvider(props) {
  return createElement(Context.Provider, { value: props.client }, props.children);
}
function useCloakroom() {
  const client = useContext(Context);
  if (!client) throw new Error("useCloakroom: there is no <CloakroomProvider client={\u2026}> above this component");
  return client;
}
var unknown = { status: "unknown" };
function useSession() {
  const { session } = useCloakroom();
  return useSyncExternalStore(session.subscribe, session.get, () => unknown);
}
function useUser() {
  const client = useCloakroom();
  const state = useSession();
  const { status } = state;
  const whose = state.status === "active" ? `${state.session.provider} ${state.session.subject} ${state.session.created_at}` : "";
  const [user, setUser] = useState(void 0);
  useEffect(() => {
    if (status === "anonymous" || status === "ended") {
      setUser(null);
      return;
    }
    let current = true;
    client.user({ slide: false }).then((claims) => {
      if (current) setUser(claims);
    }, () => {
    });
    return () => {
      current = false;
    };
  }, [client, status, whose]);
  return user;
}
export {
  CloakroomProvider,
  useCloakroom,
  useSession,
  useUser
};
