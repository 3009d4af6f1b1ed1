// SPDX-License-Identifier: Apache-2.0
import type { Event, PersonEvent, RoomView, SeatEvent, SessionEvent } from "../protocol/messages.ts";
import { changeAgenda, changeBreakouts, changeRounds, changeShared } from "./foldSession.ts";
import { assertNever, type Change, changePerson, outOfRound, putPerson, setOrDelete, without } from "./folding.ts";

/** The same fold as `evolve` of the server, over what one person may see. Never changes its argument. */
export function evolve(view: RoomView, event: Event): RoomView {
  return { ...view, ...changeOf(view, event) };
}

function changeOf(view: RoomView, event: Event): Change {
  switch (event.type) {
    case "room_opened":
    case "settings_changed":
    case "session_started":
    case "session_ended":
      return changeSession(view, event);
    case "participant_joined":
    case "participant_admitted":
    case "participant_returned":
    case "connection_lost":
    case "participant_left":
    case "seat_bound":
      return changeSeats(view, event);
    case "microphone_changed":
    case "camera_changed":
    case "hard_mute_changed":
    case "hand_raised":
    case "hand_lowered":
    case "renamed":
    case "role_changed":
      return changeSelf(view, event);
    case "reacted":
    case "chat_sent":
    case "goal_set":
    case "spotlight_changed":
    case "help_requested":
    case "help_acknowledged":
    case "help_cleared":
      return changeShared(view, event);
    case "phase_started":
    case "phase_extended":
    case "agenda_edited":
    case "timer_warned":
    case "timer_over":
      return changeAgenda(view, event);
    case "round_started":
    case "turn_started":
    case "turn_ended":
    case "round_joined":
    case "round_ended":
      return changeRounds(view, event);
    case "plan_changed":
    case "change_announced":
    case "change_cancelled":
    case "breakouts_revised":
    case "breakouts_extended":
      return changeBreakouts(view, event);
    default:
      return assertNever(event);
  }
}

function changeSession(view: RoomView, event: SessionEvent): Change {
  switch (event.type) {
    case "room_opened":
      return { id: event.room, settings: event.settings, agenda: event.agenda };
    case "settings_changed":
      return { settings: event.settings };
    case "session_started":
      return { status: "live" };
    case "session_ended":
      return {
        status: event.debrief ? "debrief" : "ended",
        agenda: { ...view.agenda, current: null, timer: null },
        rounds: {},
        hands: [],
        help: [],
        spotlight: null,
      };
    default:
      return assertNever(event);
  }
}

function changeSeats(view: RoomView, event: SeatEvent): Change {
  switch (event.type) {
    case "participant_joined":
    case "participant_admitted":
      return putPerson(view, event.participant);
    case "participant_returned": {
      const { microphone, camera } = event;
      return changePerson(view, event.participant, { presence: "connected", microphone, camera });
    }
    case "connection_lost":
      return changePerson(view, event.participant, { presence: "lost" });
    case "participant_left":
      return leave(view, event.participant);
    case "seat_bound":
      return {};
    default:
      return assertNever(event);
  }
}

function changeSelf(view: RoomView, event: PersonEvent): Change {
  switch (event.type) {
    case "microphone_changed":
      return changePerson(view, event.participant, { microphone: event.on });
    case "camera_changed":
      return changePerson(view, event.participant, { camera: event.on });
    case "hard_mute_changed":
      return changePerson(view, event.participant, { hard_muted: event.on, ...(event.on ? { microphone: false } : {}) });
    case "hand_raised":
      return { hands: [...without(view.hands, event.hand.participant), event.hand] };
    case "hand_lowered":
      return { hands: without(view.hands, event.participant) };
    case "renamed":
      return changePerson(view, event.participant, { name: event.name });
    case "role_changed":
      return changePerson(view, event.participant, { role: event.role });
    default:
      return assertNever(event);
  }
}

function leave(view: RoomView, id: string): Change {
  return {
    participants: setOrDelete(view.participants, id, null),
    hands: without(view.hands, id),
    rounds: Object.fromEntries(Object.entries(view.rounds).map(([where, old]) => [where, outOfRound(old, id)])),
    help: without(view.help, id),
    spotlight: view.spotlight === id ? null : view.spotlight,
  };
}
