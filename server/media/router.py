# SPDX-License-Identifier: Apache-2.0
"""The route tables of one room: from what the room lets flow to who gets which source in which slot."""

from __future__ import annotations

from collections.abc import Callable

from server.ids import ParticipantId, RoomId
from server.media.channel import SetRoutes, Slot, SlotsChanged, Watch
from server.media.peer import Peer, forwarded
from server.media.slots import assign, describe, wanted_sources
from server.media.streams import Layer
from server.ports import UNTOLD
from server.rooms.routes import RouteGroup


class RoomRoutes:
    """Rebuilt as a whole when routes or peers change; between that the packet path only reads `Layer.lines`.

    `tell` is called with the new slots of a subscriber before anything of a new source can be forwarded;
    `keyframe` for each layer that a line waits for.
    """

    def __init__(self, room: RoomId, tell: Callable[[SlotsChanged], None], keyframe: Callable[[Layer], None]) -> None:
        self.room = room
        self.peers: dict[ParticipantId, Peer] = {}
        self.revision = -1
        self.groups: tuple[RouteGroup, ...] = ()
        self._tell = tell
        self._keyframe = keyframe
        self._slots: dict[ParticipantId, tuple[ParticipantId | None, ...]] = {}
        self._told: dict[ParticipantId, tuple[Slot, ...]] = {}
        self._watches: dict[ParticipantId, Watch] = {}

    def set_routes(self, routes: SetRoutes) -> None:
        """Apply the routes, unless newer ones have been applied."""
        if routes.revision < self.revision:
            return
        self.revision = routes.revision
        self.groups = routes.groups
        self.rebuild()

    def add(self, peer: Peer) -> None:
        """A participant's peer, in place of an earlier one."""
        self.remove(peer.participant)
        self.peers[peer.participant] = peer
        self._slots[peer.participant] = (None,) * len(peer.slots)
        self._told[peer.participant] = ()
        self._watches[peer.participant] = UNTOLD

    def remove(self, participant: ParticipantId) -> None:
        """Forget a participant's peer; its sources stop at once."""
        peer = self.peers.pop(participant, None)
        self._slots.pop(participant, None)
        self._told.pop(participant, None)
        self._watches.pop(participant, None)
        if peer is not None:
            for source in peer.sources.values():
                source.detach()
                source.heard = False
            for line in peer.lines.values():
                line.attach(None)

    def repeat(self, participant: ParticipantId) -> None:
        """Say again what is in the participant's slots: the same peer is known by another id now."""
        told = self._told.get(participant)
        if told:
            self._tell(SlotsChanged(peer=self.peers[participant].id, revision=self.revision, slots=told))

    def watch(self, participant: ParticipantId, watch: Watch) -> None:
        """What the participant's client shows from now on."""
        self._watches[participant] = watch
        self.rebuild()

    def rebuild(self) -> None:
        """Make slots, lines and rights what the present routes and peers say."""
        member_of = {member: group for group in self.groups for member in group.members}
        for participant in self.peers:
            self._place(participant, member_of)
        for participant, peer in self.peers.items():
            group = member_of.get(participant)
            self._feed(peer, group)
            if peer.microphone is not None:
                peer.microphone.heard = group is not None and participant in group.audio
        for peer in self.peers.values():
            for layer in peer.camera.layers if peer.camera is not None else ():
                if layer.pending:
                    self._keyframe(layer)

    def _place(self, subscriber: ParticipantId, member_of: dict[ParticipantId, RouteGroup]) -> None:
        group = member_of.get(subscriber)
        # A source must be a member of the very group: whoever is named as heard elsewhere is not.
        publishing = {other for other, peer in self.peers.items() if member_of.get(other) is group and forwarded(peer)}
        wanted = wanted_sources(group, subscriber, publishing) if group is not None else ()
        self._slots[subscriber] = assign(self._slots[subscriber], wanted)
        slots = describe(self._slots[subscriber], group)
        if slots != self._told[subscriber]:
            self._told[subscriber] = slots
            self._tell(SlotsChanged(peer=self.peers[subscriber].id, revision=self.revision, slots=slots))

    def _feed(self, subscriber: Peer, group: RouteGroup | None) -> None:
        """Point the lines of a subscriber at their sources; a line that is not up yet gets none."""
        up = subscriber.srtp is not None and group is not None
        for (audio, video), participant in zip(subscriber.slots, self._slots[subscriber.participant], strict=True):
            publisher = self.peers.get(participant) if participant is not None and up else None
            hears = publisher is not None and group is not None and participant in group.audio
            sees = publisher is not None and group is not None and participant in group.video
            audio.attach(publisher.microphone if publisher is not None and hears else None)
            camera = publisher.camera if publisher is not None and sees else None
            if video.attach(camera) and camera is not None:
                video.choose(camera.layers[0])
