// SPDX-License-Identifier: Apache-2.0
import { type Event, LOBBY, MAIN, type ParticipantId, type RoomView } from "../protocol/messages.ts";
import type { AnnouncementKind } from "./announcer.ts";
import { breakoutOf, handPosition, isModerator } from "./select.ts";
import type { TextArgs } from "./translate.ts";

/** Something to say, as the id of a message and its arguments; the words are chosen where the language is known. */
export interface Line {
  readonly kind: AnnouncementKind;
  readonly id: string;
  readonly args?: TextArgs;
}

/** What one person should hear about when a room changes from `before` to `after` by `events`. */
export function narrate(before: RoomView, after: RoomView, events: readonly Event[], me: ParticipantId): Line[] {
  return [...ownChanges(before, after, me), ...events.flatMap((event) => eventLines(before, after, event, me))];
}

/** What to say to somebody who has just come, as the page before them was another one. */
export function arrival(view: RoomView, me: ParticipantId): Line[] {
  const waiting = view.participants[me]?.placement === LOBBY;
  return [{ kind: "result", id: waiting ? "lobby-text" : "say-admitted" }];
}

/** From the two views, so that it is said too when a snapshot replaces the events. */
function ownChanges(before: RoomView, after: RoomView, me: ParticipantId): Line[] {
  const [was, is] = [before.participants[me], after.participants[me]];
  if (!was || !is) return [];
  const lines: Line[] = [];
  if (was.placement !== is.placement) lines.push(movedLine(after, was.placement, is.placement));
  if (was.role !== is.role) lines.push({ kind: "moderation", id: `say-role-${is.role}` });
  const [stood, stands] = [handPosition(before, me), handPosition(after, me)];
  if (stands > 0 && stood !== stands) lines.push({ kind: "turn", id: "hand-position", args: { position: stands } });
  if (!isNext(before, me) && isNext(after, me)) lines.push({ kind: "turn", id: "hand-position", args: { position: 1 } });
  if (!wasTurn(before, me) && wasTurn(after, me)) lines.push({ kind: "turn", id: "round-your-turn" });
  return lines;
}

function movedLine(view: RoomView, from: string, to: string): Line {
  if (from === LOBBY) return { kind: "move", id: "say-admitted" };
  if (to === MAIN) return { kind: "move", id: "say-moved-main" };
  return { kind: "move", id: "say-moved-room", args: { room: breakoutOf(view, to)?.name ?? "" } };
}

function wasTurn(view: RoomView, me: ParticipantId): boolean {
  const here = view.participants[me]?.placement;
  return here !== undefined && view.rounds[here]?.current === me;
}

/** The next one of a round whose order is known. */
function isNext(view: RoomView, me: ParticipantId): boolean {
  const round = view.rounds[view.participants[me]?.placement ?? ""];
  return round !== undefined && round.current !== null && round.order !== "volunteer" && round.waiting[0] === me;
}

function eventLines(before: RoomView, after: RoomView, event: Event, me: ParticipantId): Line[] {
  const self = after.participants[me];
  const name = (id: ParticipantId | null): string =>
    (id && (after.participants[id] ?? before.participants[id])?.name) || "";
  const here = (id: ParticipantId): boolean =>
    id !== me && (after.participants[id] ?? before.participants[id])?.placement === self?.placement;
  switch (event.type) {
    case "microphone_changed":
      return deviceLines(event, me, "microphone", "say-muted-by", name(event.by));
    case "camera_changed":
      return deviceLines(event, me, "camera", "say-camera-off-by", name(event.by));
    case "hard_mute_changed":
      if (event.participant !== me) return [];
      return [{ kind: "moderation", id: event.on ? "say-hard-muted" : "say-hard-mute-lifted" }];
    case "hand_lowered":
      return event.participant === me && event.by !== me ? [{ kind: "turn", id: "say-hand-lowered" }] : [];
    case "participant_joined":
    case "participant_admitted":
      return joinedLines(event.participant.id, event.participant.placement, name, self, me);
    case "participant_left":
      return here(event.participant) ? [{ kind: "absence", id: "say-left", args: { name: name(event.participant) } }] : [];
    case "connection_lost":
      return here(event.participant) ? [{ kind: "absence", id: "say-lost", args: { name: name(event.participant) } }] : [];
    case "participant_returned":
      return here(event.participant) ? [{ kind: "presence", id: "say-back", args: { name: name(event.participant) } }] : [];
    case "chat_sent":
      if (event.message.participant === me) return [];
      return [{ kind: "chat", id: "say-chat", args: { name: event.message.name, text: event.message.text } }];
    case "reacted":
      if (event.participant === me) return [];
      return [{ kind: "reaction", id: `say-reaction-${event.reaction}`, args: { name: name(event.participant) } }];
    case "timer_warned":
      return [{ kind: "timer", id: `say-timer-${event.scope}`, args: { seconds: event.left_ms / 1000 } }];
    case "timer_over":
      return [{ kind: "timer", id: `say-over-${event.scope}` }];
    case "phase_started": {
      const phase = after.agenda.phases.find((item) => item.id === event.phase);
      return [{ kind: "turn", id: "say-phase", args: { title: phase?.title ?? "" } }];
    }
    case "turn_started":
      if (event.participant === me || event.placement !== self?.placement) return [];
      return [{ kind: "turn", id: "say-turn", args: { name: name(event.participant) } }];
    case "breakouts_revised":
      return companyLines(before, after, Object.keys(event.moves), name, me);
    case "help_requested":
      if (event.request.participant === me) return [{ kind: "result", id: "help-sent" }];
      if (!isModerator(self)) return [];
      return [{ kind: "help", id: "say-help", args: { name: name(event.request.participant) } }];
    case "help_acknowledged":
      if (event.participant !== me) return [];
      return [{ kind: "help", id: "say-help-seen", args: { name: name(event.by) } }];
    default:
      return [];
  }
}

/** One's own press too: a name that changes under the focus is not read by every screen reader. */
function deviceLines(event: { participant: ParticipantId; by: ParticipantId; on: boolean }, me: ParticipantId, kind: string, byOther: string, name: string): Line[] {
  if (event.participant !== me) return [];
  if (event.by === me) return [{ kind: "result", id: `say-${kind}-${event.on ? "on" : "off"}` }];
  return event.on ? [] : [{ kind: "moderation", id: byOther, args: { name } }];
}

/** Who comes and who goes while this person stays: nobody listens unheard of, nobody is talked to who is not there. */
function companyLines(before: RoomView, after: RoomView, moved: readonly ParticipantId[], name: (id: ParticipantId) => string, me: ParticipantId): Line[] {
  const here = after.participants[me]?.placement;
  if (here === undefined || before.participants[me]?.placement !== here) return [];
  const line = (kind: "presence" | "absence", id: string, who: readonly ParticipantId[]): Line[] =>
    who.length === 0 ? [] : [{ kind, id, args: { name: name(who[0] ?? ""), count: who.length } }];
  const was = (id: ParticipantId): boolean => before.participants[id]?.placement === here;
  const is = (id: ParticipantId): boolean => after.participants[id]?.placement === here;
  return [
    ...line("presence", "say-came", moved.filter((id) => is(id) && !was(id))),
    ...line("absence", "say-went", moved.filter((id) => was(id) && !is(id))),
  ];
}

function joinedLines(
  id: ParticipantId,
  placement: string,
  name: (id: ParticipantId) => string,
  self: { placement: string } | undefined,
  me: ParticipantId,
): Line[] {
  if (id === me) return [];
  if (placement === LOBBY) return [{ kind: "presence", id: "say-waiting", args: { name: name(id) } }];
  return placement === self?.placement ? [{ kind: "presence", id: "say-joined", args: { name: name(id) } }] : [];
}
