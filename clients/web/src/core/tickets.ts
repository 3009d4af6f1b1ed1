// SPDX-License-Identifier: Apache-2.0
import type { Ticket, TicketRequest } from "../protocol/messages.ts";

/** What this tab remembers over a reload; gone when the tab is closed. */
export interface Remembered {
  readonly token: string;
  /** From Join on. */
  readonly ticket?: Ticket;
  readonly name?: string;
  /** Shown with a ticket for one use: it may be shown again while no Welcome has come. */
  readonly claim?: string;
  /** Resume secret of the last Welcome: with it the page goes straight back to its place. */
  readonly secret?: string;
}

/** What is left when the seat is given up: the link, and the name so that nobody has to type it again. */
export function withoutSeat({ token, name }: Remembered): Remembered {
  return name === undefined ? { token } : { token, name };
}

/** What a tab remembers of a ticket from Join on; with a claim if it opens a seat only once. */
export function claimed(ticket: Ticket, newId: () => string): Pick<Remembered, "ticket" | "claim"> {
  return ticket.single_use ? { ticket, claim: newId() + newId() } : { ticket };
}

const KEY = "holdspace.seat";

export class SeatMemory {
  constructor(private readonly storage: Pick<Storage, "getItem" | "setItem" | "removeItem">) {}

  read(): Remembered | null {
    const text = this.storage.getItem(KEY);
    return text === null ? null : (JSON.parse(text) as Remembered);
  }

  write(value: Remembered): void {
    this.storage.setItem(KEY, JSON.stringify(value));
  }

  forget(): void {
    this.storage.removeItem(KEY);
  }
}

/** The token of a join link; the caller removes it from the address bar. */
export function tokenOf(fragment: string): string | null {
  const token = fragment.replace(/^#/, "");
  return /^[A-Za-z0-9_.-]{8,4096}$/.test(token) ? token : null;
}

/**
 * Why a link cannot be swapped: the server's word, or that it could not be reached. `detail`: what is wrong with the
 * token, for whoever makes it.
 */
export class TicketRefused extends Error {
  constructor(
    readonly reason: string,
    readonly detail = "",
  ) {
    super(detail ? `${reason}: ${detail}` : reason);
  }
}

export async function fetchTicket(fetcher: typeof fetch, token: string): Promise<Ticket> {
  const body: TicketRequest = { token };
  let response: Response;
  try {
    response = await fetcher("/api/tickets", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
  } catch {
    throw new TicketRefused("unreachable");
  }
  if (response.ok) return (await response.json()) as Ticket;
  throw await problemOf(response);
}

async function problemOf(response: Response): Promise<TicketRefused> {
  try {
    const { reason, detail } = (await response.json()) as { reason?: unknown; detail?: unknown };
    if (typeof reason === "string") return new TicketRefused(reason, typeof detail === "string" ? detail : "");
  } catch {
    // A proxy in between may answer with a page of its own; the status says enough.
  }
  return new TicketRefused(response.status >= 500 ? "unreachable" : "token_invalid");
}
