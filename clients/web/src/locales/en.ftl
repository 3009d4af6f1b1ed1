# SPDX-License-Identifier: Apache-2.0

## Page

page-title = Group session
page-title-waiting = Waiting – Group session
page-title-live = Microphone on – Group session
page-title-muted = Muted – Group session
opening = One moment…
joining = Joining…
language = Language
language-en = English
language-es = Español
close = Close
cancel = Cancel
save = Save
change = Change
send = Send
show = Show
undo = Undo
try-again = Try again
take-back = Take it back
you = You
names-more = { $count } more
nobody = Nobody
results = Results
count = ({ $count })
read-aloud = Read aloud by a screen reader
read-aloud-hint = Moves, your turn and calls for help are always read.
read-aloud-presence = Who comes and who goes
read-aloud-chat = Messages
read-aloud-reaction = Reactions
read-aloud-timer = How much time is left
skip = Skip
skip-to-toolbar = To the call controls
keys-title = Keyboard
keys-toolbar = F2: to the call controls, from anywhere
keys-arrows = Arrow keys: from one control to the next
keys-escape = Escape: close a panel, a menu or a question

## At the top of every page

safety = Help and quick exit
help-now = Help now
help-here = Help in this session
help-here-text = You can tell the moderators that you need them. Nobody else in the group sees it.
crisis-title = If you are in crisis, or somebody is in danger
crisis-line-988 = 988 Suicide and Crisis Lifeline (United States), call or text, day and night: 988
crisis-line-911 = Emergency services (United States): 911
crisis-unseen = This works without a connection to the group. Nobody sees that you opened it.
quick-exit = Quick exit
quick-exit-hint = Quick exit, at the top, takes you out at once and shows another page. Pressing the Shift key three times does the same.

## Before joining

prejoin-look = Camera and microphone
prejoin-you = Before you come in
prejoin-camera-off = Your camera is off.
prejoin-off-hint = Both stay off until you press a button. You can also join with both off.
prejoin-live-hint = What is on now will be on when you are in the room.
self-hidden = Your camera is on. Your own picture is hidden.
hide-self = Hide my own picture from me
sound-only = Sound only: get no pictures of others, to save data
name-label = Name shown to the group
name-hint = A first name or nickname is enough.
name-hint-full_name = This looks like a full name. A first name or nickname is enough.
name-hint-email = This looks like an email address. A first name or nickname is enough.
name-hint-phone = This looks like a phone number. A first name or nickname is enough.
name-missing = Please type a name. A first name or nickname is enough.
agreement-title = Group agreement
agreement-accept = I agree to this for today’s session
agreement-missing = Please tick the box above to come in, or press “Not today”.
camera-policy-title = Cameras in this group
camera-policy-optional = Your camera is up to you. You can take part with sound only.
camera-policy-encouraged = Cameras are welcome. You can still take part with sound only.
camera-policy-expected = This group asks for cameras on. You can still come in with sound only.
join = Join
decline = Not today

## Devices

microphone-turn-on = Turn microphone on
microphone-turn-off = Turn microphone off
microphone-short = Microphone
camera-turn-on = Turn camera on
camera-turn-off = Turn camera off
camera-short = Camera
device-starting = Starting…
choose-microphone = Microphone
choose-camera = Camera
level-quiet = Say a few words to see whether your microphone works. Only you see this.
level-heard = Your microphone works.
problem-microphone = Your microphone is off.
problem-camera = Your camera is off.
problem-blocked = The browser does not allow it. Press the icon next to the address, allow it, and try again. You can stay without it.
problem-missing = No such device was found. Plug it in and try again. You can stay without it.
problem-gone = It is no longer connected. Connect it again, or turn on another one. You can stay without it.
problem-paused = Your device has paused this, for example for a phone call. It comes back by itself afterwards.
paused-microphone = Nobody can hear you right now.
paused-camera = Nobody can see you right now.
problem-busy = Another app may be using it. Close that app and try again. You can stay without it.
problem-unsupported = This browser cannot use it here. You can stay without it, or try another browser.

## Lobby

lobby-title = Welcome, { $name }
lobby-text = You are in the waiting room. A moderator will let you in. You do not need to do anything.
lobby-off = Your camera and microphone are off.
lobby-count =
    { $count ->
        [one] 1 person is waiting.
       *[other] { $count } people are waiting.
    }
admit = Let in
admit-name = Let in { $name }
admit-all = Let everyone in
deny = Not today
deny-name = Not today: { $name }
deny-title = Not let { $name } in?
deny-text = They read that they were not let in this time. They can open their link again.

## Connection

connection = Connection
reconnecting-title = Reconnecting…
reconnecting-text = Your place is kept. You do not need to do anything.
read-only = The connection to the group is being restored. You can go on talking.
say-read-only-over = The group is fully connected again.
# After a command of a moderator: it is in force, but a second server has not confirmed its copy yet.
not-yet-safe = Done, but not safely stored yet. Please check in a moment that it still stands.
reconnecting-stalled = The connection could not be restored yet.
media-restoring = Sound and picture are being restored. You do not need to do anything.
media-impossible = This browser cannot play sound or video here. You can read along and write to the group, or come back with another browser.
trouble-weak = Weak connection
trouble-poor = Poor connection
trouble-down-bandwidth = Your connection is slow right now. Sound comes first, so some pictures are smaller or paused.
trouble-down-loss = Your connection loses parts of what others send. Words or pictures may be missing.
trouble-down-delay = Your connection is slow to respond. You may hear others late.
trouble-up-bandwidth = Your connection is slow right now. Others see your picture smaller or not at all.
trouble-up-loss = Your connection loses parts of what you send. Others may miss some of your words.
trouble-up-delay = Your connection is slow to respond. Others may hear you late.
trouble-device = Your device is very busy. Your picture is sent smaller for now; your sound is not changed.
trouble-camera-hint = Turning your camera off can help. You can stay with sound only.
hear = Press to hear the group

## Agenda bar

agenda-not-begun = We will begin soon
agenda-debrief = Staff debrief
agenda-next = Next: { $title }
agenda-in = Part of: { $title }
time-over = Time is up
time-left =
    { $minutes ->
        [0] { $seconds ->
            [one] 1 second left
           *[other] { $seconds } seconds left
        }
        [one] 1 minute left
       *[other] { $minutes } minutes left
    }
seconds-short = { $seconds } s
prompt = Question for now:

## Tiles

tiles = People in this room
tile-you = { $name } (you)
tile-microphone-on = microphone on
tile-microphone-off = microphone off
tile-camera-on = camera on
tile-camera-off = camera off
tile-lost = lost connection, place kept
tile-lost-short = Reconnecting
tile-turn = has the turn
tile-turn-short = Turn
tile-hand =
    hand raised { $position ->
        [1] 1st
        [2] 2nd
        [3] 3rd
       *[other] { $position }th
    }
tile-pinned = pinned
tile-paused-bandwidth = picture paused so that the sound stays clear
tile-paused-bandwidth-short = Paused for clear sound
tile-paused-hidden = picture comes back in a moment
tile-paused-hidden-short = One moment
tile-paused-overload = picture paused while the server is busy
tile-paused-overload-short = Paused, server busy
tile-paused-codec = this browser cannot show the picture
tile-paused-codec-short = Cannot be shown here
tile-paused-crowd = not every picture is sent in a large group
tile-paused-crowd-short = Not all pictures fit
tile-paused-own = picture off, as you chose sound only
tile-paused-own-short = Sound only
pin = Pin { $name }: always large, on the first page
unpin = Unpin { $name }
nobody-else = Nobody else is here right now.
pager = Pages of people
pager-before = Previous page
pager-after = Next page
pager-page = Page { $page } of { $pages }
pager-speaking = Speaking: { $names }
role-participant = Group member
role-leader = Peer leader
role-moderator = Moderator

## What is going on

now-waiting = The session has not begun yet. Make yourself comfortable.
now-debrief = The group has left. Only staff are here now.
round-your-turn = It is your turn
round-turn-of = { $name } has the turn
round-over = Everyone has had a turn
round-volunteer = Who would like to speak?
round-next-soon = The next turn begins in a moment
round-then = Then: { $names }
round-not-yet = Not yet: { $names }
round-listening = For now we listen. Others are not heard during a turn.
round-soft-label = Suggested time left:
round-soft-over = Take the time you need
turn-done = I am done
turn-take = I would like to speak
turn-pass = Pass
turn-later = Come back to me
turn-next = Next person
round-end = End the round
hand-position =
    { $position ->
        [1] You are next in line.
        [2] You are second in line.
        [3] You are third in line.
        [4] You are fourth in line.
        [5] You are fifth in line.
       *[other] You are number { $position } in line.
    }
hand-queue = Hands: { $names }
goal-title = My goal
goal-label = One small step until we meet again
goal-who = Who can read it
goal-private = Only me
goal-group = The group
goal-save = Save my goal
goal-saved = Your goal is saved.
goal-removed = Your goal is removed.
goal-shared = Goals the others share
help-request = Ask a moderator to come
help-request-main = Ask a moderator for support
help-sent = A moderator has been called. Only moderators see it.
help-sent-nobody = No moderator is here right now. Your call is shown to the first one who comes.
help-seen = { $name } has seen your call.
help-cancel = Not needed any more
help-open-count =
    { $count ->
        [one] 1 call for help.
       *[other] { $count } calls for help.
    }
a-moderator = A moderator

## Toolbar

toolbar = Call controls
hand = Hand
hand-raise = Raise hand
hand-lower = Lower hand
react = Send a reaction
react-short = Reaction
reaction-heart = Heart
reaction-heart-symbol = ❤️
reaction-thanks = Thank you
reaction-thanks-symbol = 🙏
reaction-applause = Applause
reaction-applause-symbol = 👏
reaction-support = With you
reaction-support-symbol = 🤝
reaction-agree = Me too
reaction-agree-symbol = 👍
panel-chat = Chat
panel-chat-short = Chat
panel-chat-title = Chat
panel-chat-count = Chat, { $count } new
panel-people = People
panel-people-short = People
panel-people-title = People
panel-people-count = People, { $count } waiting for you
panel-agenda = Agenda
panel-agenda-short = Agenda
panel-agenda-title = Agenda
panel-board = Small groups
panel-board-short = Groups
panel-board-title = Small groups
end-session = End the session
end-session-short = End
leave = Leave

## Chat

chat-scope-main = Everyone in the main room can read this. It is not kept.
chat-scope-room = Everyone in this small group can read this. It is not kept.
chat-everywhere = To all rooms
chat-log = Messages
chat-empty = No messages yet.
chat-label = Message to everyone here
chat-newer = New messages below
chat-moved = You are in another room now. If this is for the people here, send it again.
chat-placeholder = Write a message

## People

people-in = { $room }, { $count ->
        [one] 1 person
       *[other] { $count } people
    }
main-room = Main room
for-everyone = For the whole room
mute-everyone = Mute everyone here
lock = Lock the room: nobody new can come in
auto-admit = Let newcomers in without waiting
hard-muted = Muted by a moderator
actions-for = More for { $name }
do-mute = Mute
do-mute-hard = Mute and keep muted
do-unmute-hard = Allow the microphone again
do-camera-off = Turn camera off
do-lower-hand = Lower hand
do-give-turn = Give the turn
do-spotlight = Show large for everyone
do-spotlight-off = Stop showing large
do-rename = Change name
do-role-participant = Make group member
do-role-leader = Make peer leader
do-role-moderator = Make moderator
do-aside = Take aside for a private word
aside-room = Quiet room ({ $name })
aside-with = You are alone here with { $name }.
aside-end = Both back to the main room
do-visit = Go to this room
do-remove = Remove from session
own-settings = For you
rename-self = My name
rename-title = Change the name of { $name }
renamed = The name is now { $name }.
remove-title = Remove { $name }?
remove-text = They leave now and cannot come back to this session.
help-title = Calls for help
help-from = asks for a moderator in { $room }.
help-acknowledge = I have seen it
help-acknowledged = { $name } has seen it.
visit = Visit

## Small groups

lead-label = Tell people before a move
lead-option =
    { $seconds ->
        [0] Move at once
       *[other] { $seconds } seconds before
    }
pending-open = Small groups open in
pending-close = Everyone returns in
pending-move = { $names }: moving in
plan-intro =
    { $count ->
        [one] 1 person can be placed.
       *[other] { $count } people can be placed.
    } Nothing happens to anybody before you open the rooms.
strategy-label = How to place people
strategy-even = Evenly, in order of joining
strategy-random = At random
strategy-by_leader = One room for each peer leader
strategy-by_hand = By hand
plan-rooms = Rooms
plan-minutes = Minutes (0: no limit)
plan-prompt = Question for the rooms
plan-draft = Make a draft
plan-hint = A draft. Only moderators see it.
plan-stays = Stay in the main room ({ $count })
plan-free = Not placed yet ({ $count })
plan-nowhere = In no room
plan-add-room = Add a room
plan-remove-room = Remove { $room }
plan-make-leader = Leads this room
plan-no-leader = Does not lead this room
plan-open = Open the rooms
plan-discard = Discard the draft
planned = { $name }: { $room }
room-name = Name of room { $number }
room-name-new = Name of the room
room-numbered = Room { $number }
leads = Leads
alone-title = One person would be alone
alone-text = Somebody would be in a room without company. You can place them first, or open the rooms as they are.
alone-yes = Open as it is
opening-soon = People have been told. The rooms open shortly.
opened = The rooms are open.
closing-soon = People have been told. Everyone returns shortly.
closed = Everyone is back in the main room.
breakouts-time = Time in the rooms:
extend-minutes = +{ $minutes } minutes
close-all = Bring everyone back
broadcast-label = Message to all rooms
broadcast-sent = Sent to all rooms.
move-menu = Move to…
move-name = Move to… ({ $name })
moved = { $name } is now in { $room }.
moving-soon = { $name } has been told and moves to { $room } shortly.
move-several = Move several people
move-several-who = Who?
move-several-where = Where to?
move-selected = Move selected ({ $count })
moved-several =
    { $count ->
        [one] 1 person is now in { $room }.
       *[other] { $count } people are now in { $room }.
    }
moving-several-soon =
    { $count ->
        [one] 1 person has been told and moves to { $room } shortly.
       *[other] { $count } people have been told and move to { $room } shortly.
    }
swap-title = Change places with
swap-with = { $name } ({ $room })
swapped = { $first } and { $second } have changed places.
visit-name = Visit { $room }
return = Go back
you-are-here = You are here
help-called = Asks for help
room-actions = More for { $room }
merge-into = Merge into { $room }
room-merged = { $room } is now part of { $into }.
split = Split this room
split-title = Split { $room }
split-who = Who goes to the new room?
split-do = Split
room-split = { $room } is open.
rename-room = Change the room’s name
room-renamed = The room is now called { $room }.
close-room = Close this room
room-closed = { $room } is closed. Its people are in the main room.

## Announced moves

move-to-room = You will move to { $room }
move-to-main = You will return to the main room
move-with = With { $names }.
move-back = Back at { $time }, after { $minutes ->
        [one] 1 minute.
       *[other] { $minutes } minutes.
    }
move-back-open = A moderator will bring you back.
move-unchanged = Your camera and microphone stay as they are.

## Agenda editing

phase-begin = Begin: { $title }
phase-next = Next: { $title }
phase-back = Back one step
phase-leaving-title = The small groups are still open
phase-leaving-text = Everyone would be moved to the main room at once, without notice. To tell them first, press “Bring everyone back” under Groups.
phase-leaving-yes = Go on at once
phase-minutes =
    { $minutes ->
        [one] 1 minute
       *[other] { $minutes } minutes
    }
phase-open-end = No time limit
phase-now = Now
phase-skipped = Skipped
phase-actions = More for { $title }
phase-edit = Edit
phase-skip = Skip
phase-unskip = Do not skip
phase-up = Move up
phase-down = Move down
phase-delete = Delete
phase-add = Add a step
phase-new = New step
phase-title = Title
phase-kind = Kind
phase-kind-check_in = Check-in round
phase-kind-topic = Topic
phase-kind-breakouts = Small groups
phase-kind-reflection = Reflection and goals
phase-kind-break = Break
phase-kind-close = Close
phase-kind-custom = Other
phase-prompt = Question on screen
phase-duration = Minutes (0: no limit)
round-start-title = Round in this room
round-order-label = Order
round-order-list = In order of joining
round-order-random = At random
round-order-volunteer = Volunteers
round-minutes = Suggested minutes for each person
round-quiet = Only the person whose turn it is can be heard
round-start = Start a round

## Ending

end-title = End the session?
end-text = Everyone leaves. You can stay with the staff for a debrief.
end-debrief-text = The debrief ends for all staff.
end-with-debrief = End, and stay for a debrief
end-for-all = End for everyone
rejoin = Come back in
use-this-tab = Use this tab instead
over-left-title = You have left
over-left-text = Thank you for being here. Take a moment for yourself. You can come back while the session goes on.
over-declined-title = That is fine
over-declined-text = You do not need to give a reason. You can come back any time.
over-removed-title = Your part in this session has ended
over-removed-text = A moderator has ended your part in this session. If you have questions, please contact your program.
over-denied-title = You were not let in this time
over-denied-text = If you think this is a mistake, please contact your program.
over-session-over-title = The session is over
over-session-over-text = Thank you for being here. Take a moment for yourself before you go on.
over-superseded-title = Open in another tab
over-superseded-text = You opened this session in another tab or window. This one has stopped.
over-token-invalid-title = This link does not work
over-token-invalid-text = It may be incomplete. Please copy the whole link, or ask for a new one.
over-token-expired-title = This link has expired
over-token-expired-text = Please ask for a new link.
over-token-foreign-title = This link belongs somewhere else
over-token-foreign-text = It was made for another service. Please ask for a new link.
over-protocol-unsupported-title = Please load this page again
over-protocol-unsupported-text = This page and the server do not have the same version.
over-room-full-title = The session is full
over-room-full-text = Please try again in a moment, or contact your program.
over-room-locked-title = The session is locked
over-room-locked-text = Nobody new can come in right now. Please contact a moderator, or try again in a moment.
over-agreement-required-title = The group agreement has changed
over-agreement-required-text = Please read it again and accept it to come in.
over-name-invalid-title = Please choose another name
over-name-invalid-text = A name has 1 to 40 characters.
over-ticket-used-title = This link was used already
over-ticket-used-text = It works only once. Please ask for a new link.
over-no-link-title = No session here
over-no-link-text = Please open the link you were given.
over-unreachable-title = The service cannot be reached
over-unreachable-text = Please check your connection and try again.
over-other-title = The session has stopped
over-other-text = Something went wrong on our side. Please open your link again.

## Refusals

reject-bad_message = The page sent something the server does not understand. Please load it again.
reject-too_large = That is too long.
reject-rate_limited = That was a lot at once. Please wait a moment.
reject-busy = The room did not answer in time. Please try again.
reject-not_allowed = Your role does not include that.
reject-not_now = That is not possible right now.
reject-not_here = That person or room is not there any more.
reject-not_admitted = You are still in the waiting room.
reject-stale_version = Somebody else changed this a moment ago. Please look again.
reject-room_full = The room is full.
reject-room_locked = The room is locked.
reject-agreement_required = Please accept the group agreement first.
reject-hard_muted = A moderator has muted your microphone for now.
reject-not_your_turn = It is somebody else’s turn.
reject-name_invalid = Please choose a name of 1 to 40 characters.
reject-nothing_to_undo = There is nothing to undo.
reject-plan_infeasible = This plan does not fit the people who are here. Please check that no room is empty and each room has who it needs.
reject-person_alone = This would leave somebody alone.
reject-limit_reached = There cannot be more of these.
reject-bad_offer = Sound and video could not be set up.
reject-no_media = Sound and video are not available right now.

## Said to screen readers

say-microphone-on = Your microphone is on.
say-microphone-off = Your microphone is off.
say-camera-on = Your camera is on.
say-camera-off = Your camera is off.
say-came =
    { $count ->
        [one] { $name } joined.
       *[other] { $count } people joined.
    }
say-went =
    { $count ->
        [one] { $name } went to another room.
       *[other] { $count } people went to another room.
    }
say-admitted = You are in the room now.
say-moved-main = You are back in the main room.
say-moved-room = You are now in { $room }.
say-role-participant = You are now a group member.
say-role-leader = You are now a peer leader.
say-role-moderator = You are now a moderator.
say-muted-by = { $name } turned your microphone off.
say-camera-off-by = { $name } turned your camera off.
say-hard-muted = A moderator has muted your microphone for now.
say-hard-mute-lifted = You can turn your microphone on again.
say-hand-lowered = Your hand was lowered.
say-waiting = { $name } is in the waiting room.
say-joined = { $name } joined.
say-left = { $name } left.
say-lost = { $name } lost the connection.
say-back = { $name } is back.
say-chat = { $name }: { $text }
say-reaction-heart = { $name } sends a heart.
say-reaction-thanks = { $name } says thank you.
say-reaction-applause = { $name } applauds.
say-reaction-support = { $name } is with you.
say-reaction-agree = { $name } agrees.
say-timer-phase =
    { $seconds ->
        [300] 5 minutes left.
        [60] 1 minute left.
       *[other] { $seconds } seconds left.
    }
say-timer-breakouts =
    { $seconds ->
        [300] 5 minutes left in the small groups.
        [60] 1 minute left in the small groups.
       *[other] { $seconds } seconds left in the small groups.
    }
say-over-phase = Time for this step is up.
say-over-breakouts = Time in the small groups is up.
say-phase = Now: { $title }
say-turn = { $name } has the turn.
say-help = { $name } asks for a moderator.
say-help-seen = { $name } has seen your call.
say-connection-lost = Connection lost. Reconnecting. Your place is kept.
say-media-back = Sound and picture are back.
say-connection-back = You are connected again.

outdated = This page is older than the server. Load it again; your place is kept.
outdated-reload = Load the page again
