import { type ReactNode } from 'react';
import type { Claims, Client, SessionState } from './index.js';
/** Gives a client to the components below it. */
export declare function CloakroomProvider(props: {
    client: Client;
    children?: ReactNode;
}): ReactNode;
/** The client of the nearest CloakroomProvider; it throws without one. */
export declare function useCloakroom(): Client;
/** Where this browser stands; the component is drawn anew when that changes, in whichever tab it was done. */
export declare function useSession(): SessionState;
/** The claims of whoever is logged in, null for nobody, undefined until that is known. */
export declare function useUser(): Claims | null | undefined;
