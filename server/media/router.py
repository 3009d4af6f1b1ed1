# SPDX-License-Identifier: Apache-2.0
"""The route tables of one room: from what the room lets flow to who gets which source in which slot.

Only those are looked at again whom a change concerns; between changes the packet path reads nothing but `Layer.lines`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from server.ids import ParticipantId, Placement, RoomId
from server.media.channel import SetRoutes, SlotsChanged, VoicesHeard, Watch
from server.media.downlink import Downlink
from server.media.line import Line
from server.media.peer import Peer
from server.media.placement_routes import PlacementRoutes, Seating, voice_of
from server.media.slots import Seats, Shown, describe
from server.media.streams import Layer, Source
from server.media.voices import Voice, begin_early
from server.ports import PauseReason
from server.rooms.routes import RouteGroup


class RoomRoutes:
    """Who gets what in one room.

    `tell` is called with the new slots of a subscriber before anything of a new source can be forwarded;
    `keyframe` for each layer that a line waits for.
    """

    def __init__(self, room: RoomId, tell: Callable[[SlotsChanged], None], keyframe: Callable[[Layer], None]) -> None:
        self.room = room
        self.peers: dict[ParticipantId, Peer] = {}
        self.revision = -1
        self._tell = tell
        self._keyframe = keyframe
        self._seatings: dict[ParticipantId, Seating] = {}
        self._places: dict[Placement, PlacementRoutes] = {}
        self._where: dict[ParticipantId, PlacementRoutes] = {}
        self._changed: dict[PlacementRoutes, None] = {}
        self._stale: dict[Seating, None] = {}

    @property
    def groups(self) -> tuple[RouteGroup, ...]:
        """The routes that are in force."""
        return tuple(place.group for place in self._places.values())

    def set_routes(self, routes: SetRoutes) -> None:
        """Apply the routes, unless newer ones have been applied."""
        if routes.revision < self.revision:
            return
        self.revision = routes.revision
        self._regroup(routes.groups)
        self.rebuild()

    def clear(self) -> None:
        """The room is over: nothing flows any more."""
        self._regroup(())
        self.rebuild()

    def add(self, peer: Peer) -> None:
        """A participant's peer, in place of an earlier one."""
        if peer.participant in self.peers:
            self.remove(peer.participant)
            self.rebuild()
        self.peers[peer.participant] = peer
        peer.downlink = Downlink(peer, self._keyframe, self.retell)
        seating = self._seatings[peer.participant] = Seating(peer)
        self._seat(seating)

    def remove(self, participant: ParticipantId) -> None:
        """Forget a participant's peer; its sources stop at once."""
        peer = self.peers.pop(participant, None)
        seating = self._seatings.pop(participant, None)
        if peer is None or seating is None:
            return
        self._stale.pop(seating, None)
        self._unseat(seating)
        for source in peer.sources.values():
            source.detach()
        for line in peer.lines.values():
            line.attach(None)

    def watch(self, participant: ParticipantId, watch: Watch) -> None:
        """What the participant's client shows from now on."""
        seating = self._seatings[participant]
        seating.watch = watch
        self._stale[seating] = None
        self.rebuild()

    def retell(self, participant: ParticipantId) -> None:
        """Say which pictures are paused, if that has changed."""
        seating = self._seatings[participant]
        lines = seating.peer.slots
        slots = describe(seating.seats, seating.cast, lambda index: lines[index][1].paused)
        if slots != seating.told:
            seating.told = slots
            self._tell(SlotsChanged(peer=seating.peer.id, revision=self.revision, slots=slots))

    def repeat(self, participant: ParticipantId) -> None:
        """Say again what is in the participant's slots: the same peer is known by another id now."""
        self._seatings[participant].told = ()
        self.retell(participant)

    def rebuild(self) -> None:
        """Make slots, lines and rights what the present routes and peers say."""
        for seating in self._seatings.values():
            if seating.up != (seating.peer.srtp is not None):
                seating.up = not seating.up
                self._stale[seating] = None
        changed, self._changed = self._changed, {}
        for place in changed:
            if place.recast(self._claimed):
                self._stale.update(dict.fromkeys(place.seatings.values()))
        stale, self._stale = self._stale, {}
        self._fill_slots(stale)

    def tick(self, now_ns: int) -> Iterator[VoicesHeard]:
        """Follow the speakers, about five times a second; yields who was heard in each placement."""
        for placement, place in self._places.items():
            if place.floor.release(now_ns):
                self._revoice(place)
            if place.rerank(now_ns):
                self._fill_slots(place.seatings.values())
            levels = place.take_levels()
            if levels:
                yield VoicesHeard(room=self.room, placement=placement, levels=levels)

    # -- who is where --------------------------------------------------------------------------------------------------

    def _regroup(self, groups: tuple[RouteGroup, ...]) -> None:
        before = self._places
        self._places = {group.placement: before.get(group.placement) or PlacementRoutes() for group in groups}
        self._where = {}
        for group in groups:
            place = self._places[group.placement]
            self._where.update(dict.fromkeys(group.members, place))
            if group != place.group:
                place.group = group
                self._changed[place] = None
        for participant, seating in self._seatings.items():
            if self._where.get(participant) is not seating.place:
                self._unseat(seating)
                self._seat(seating)

    def _seat(self, seating: Seating) -> None:
        """Into the placement where the person is."""
        participant = seating.peer.participant
        place = seating.place = self._where.get(participant)
        self._stale[seating] = None
        if place is not None:
            place.enter(seating)
            self._changed[place] = None

    def _unseat(self, seating: Seating) -> None:
        """Out of the placement where they were; their voice is nobody's until the next one takes it up."""
        place, seating.place = seating.place, None
        if place is not None:
            place.leave(seating.peer.participant)
            self._changed[place] = None
        voice = voice_of(seating.peer)
        if voice is not None:
            voice.rule(heard=False, claim=None)

    # -- who gets what -------------------------------------------------------------------------------------------------

    def _fill_slots(self, seatings: Iterable[Seating]) -> None:
        """Fill the slots of these subscribers anew, and ask for the keyframes they wait for.

        Each at once: whoever has moved comes first, and does not wait until all the others have their slots.
        """
        asked: set[Layer] = set()
        for seating in seatings:
            shown = seating.shown
            heard, seen = seating.fill()
            if heard != seating.heard:
                self._let_hear(seating, heard)
            waiting: tuple[Layer, ...] = ()
            if seen != seating.seen or shown != seating.shown:
                self._let_see(seating, seen)
                waiting = tuple(video.awaited for _, video in seating.peer.slots if video.awaited is not None)
            self.retell(seating.peer.participant)
            for layer in waiting:
                if layer not in asked:
                    self._keyframe(layer)
            asked.update(waiting)

    def _let_hear(self, seating: Seating, heard: Seats) -> None:
        """Point the audio lines of a subscriber at these people."""
        for (audio, _), before, source in zip(seating.peer.slots, seating.heard, heard, strict=True):
            if source != before:
                audio.attach(self.peers[source].microphone if source is not None else None)
        seating.heard = heard

    def _let_see(self, seating: Seating, seen: Seats) -> None:
        """Point the video lines of a subscriber at these people; which layer they get is for the link to say."""
        seating.seen = seen
        shown = {each.participant: (rank, each) for rank, each in enumerate(seating.shown)}
        for (_, video), source in zip(seating.peer.slots, seen, strict=True):
            camera = self.peers[source].camera if source is not None else None
            video.attach(camera)
            _show(video, camera, shown.get(source) if source is not None else None)
        if seating.peer.downlink is not None:
            seating.peer.downlink.reallocate()

    # -- voices --------------------------------------------------------------------------------------------------------

    def _claimed(self, voice: Voice, now_ns: int) -> None:
        """Somebody speaks whom not everybody gets; called in the packet path."""
        speaker = voice.talker.participant
        place = self._where.get(speaker)
        if place is None:
            return
        led = speaker in place.cast.led
        taken = not led and place.floor.claim(voice.talker, now_ns)
        if not led and not taken:
            return
        given = place.claim_few(voice.talker, now_ns)
        if not taken and not given:
            return
        early = voice.early(len(place.seatings) if taken else len(given))
        if taken:
            self._revoice(place)
        else:
            self._fill_slots(given)
        microphone = self.peers[speaker].microphone
        if microphone is not None:
            layer = microphone.layers[0]
            begin_early(layer, layer.pending, early, now_ns)

    def _revoice(self, place: PlacementRoutes) -> None:
        """Give the voices on the floor to those who do not get all, and take away those that are not any more."""
        changed = place.revoice(self._claimed)
        led = place.cast.led
        selective = [seating for seating in place.seatings.values() if not seating.hears_all()]
        self._fill_slots([seating for seating in selective if not self._switch_voices(seating, changed, led)])

    def _switch_voices(
        self, seating: Seating, changed: tuple[ParticipantId, ...], led: frozenset[ParticipantId]
    ) -> bool:
        """Whether it could be done without touching the slots: everyone who leads now has one."""
        if not seating.up or any(each in led and each not in seating.seats for each in changed if each != seating.me):
            return False
        audible = tuple([source if source in led else None for source in seating.seats])
        self._let_hear(seating, audible)
        return True


def _show(video: Line, camera: Source | None, shown: tuple[int, Shown] | None) -> None:
    """What the client makes of this picture; which layer it gets is for its link to say."""
    video.hidden = shown is None
    video.paused = None
    if shown is not None:
        video.rank, video.height, video.pinned = shown[0], shown[1].height, shown[1].pinned
    if camera is None:
        return
    if shown is None or not video.plays(camera):
        video.paused = PauseReason.HIDDEN if shown is None else PauseReason.CODEC
        video.choose(None)
