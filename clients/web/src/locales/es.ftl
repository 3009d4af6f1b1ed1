# SPDX-License-Identifier: Apache-2.0

## Page

page-title = Sesión de grupo
page-title-waiting = En espera – Sesión de grupo
page-title-live = Micrófono encendido – Sesión de grupo
page-title-muted = En silencio – Sesión de grupo
opening = Un momento…
joining = Entrando…
language = Idioma
language-en = English
language-es = Español
close = Cerrar
cancel = Cancelar
save = Guardar
change = Cambiar
send = Enviar
show = Ver
undo = Deshacer
try-again = Intentar de nuevo
take-back = Anular
you = Tú
names-more = { $count } más
nobody = Nadie
results = Resultados
count = ({ $count })
read-aloud = Qué lee el lector de pantalla
read-aloud-hint = Los cambios de sala, tu turno y las llamadas de ayuda se leen siempre.
read-aloud-presence = Quién llega y quién se va
read-aloud-chat = Mensajes
read-aloud-reaction = Reacciones
read-aloud-timer = Cuánto tiempo queda
skip = Saltar
skip-to-toolbar = Ir a los controles de la llamada
keys-title = Teclado
keys-toolbar = F2: a los controles de la llamada, desde cualquier lugar
keys-arrows = Flechas: de un control al siguiente
keys-escape = Escape: cerrar un panel, un menú o una pregunta

## At the top of every page

safety = Ayuda y salida rápida
help-now = Ayuda ya
help-here = Ayuda en esta sesión
help-here-text = Puedes decir a quienes moderan que necesitas su apoyo. Nadie más del grupo lo ve.
crisis-title = Si estás en crisis, o alguien corre peligro
crisis-line-988 = Línea 988 de Prevención del Suicidio y Crisis (Estados Unidos), día y noche; por teléfono, pulsa 2 para español: 988
crisis-line-911 = Emergencias (Estados Unidos): 911
crisis-unseen = Funciona sin conexión con el grupo. Nadie ve que lo has abierto.
quick-exit = Salida rápida
quick-exit-hint = La salida rápida, arriba, te saca al instante y muestra otra página. Pulsar tres veces la tecla Mayús hace lo mismo.

## Before joining

prejoin-look = Cámara y micrófono
prejoin-you = Antes de entrar
prejoin-camera-off = Tu cámara está apagada.
prejoin-off-hint = Los dos siguen apagados hasta que pulses un botón. También puedes entrar con los dos apagados.
prejoin-live-hint = Lo que está encendido ahora lo estará también en la sala.
self-hidden = Tu cámara está encendida. Tu propia imagen está oculta.
hide-self = No mostrarme mi propia imagen
sound-only = Solo sonido: no recibir imágenes de los demás, para ahorrar datos
name-label = Nombre que verá el grupo
name-hint = Basta con tu primer nombre o un apodo.
name-hint-full_name = Parece un nombre completo. Basta con tu primer nombre o un apodo.
name-hint-email = Parece una dirección de correo. Basta con tu primer nombre o un apodo.
name-hint-phone = Parece un número de teléfono. Basta con tu primer nombre o un apodo.
name-missing = Escribe un nombre, por favor. Basta con tu primer nombre o un apodo.
agreement-title = Acuerdo del grupo
agreement-accept = Lo acepto para la sesión de hoy
agreement-missing = Marca la casilla de arriba para entrar, o pulsa «Hoy no».
camera-policy-title = Cámaras en este grupo
camera-policy-optional = La cámara es cosa tuya. Puedes participar solo con sonido.
camera-policy-encouraged = Las cámaras son bienvenidas. También puedes participar solo con sonido.
camera-policy-expected = Este grupo pide la cámara encendida. Aun así puedes entrar solo con sonido.
join = Entrar
decline = Hoy no

## Devices

microphone-turn-on = Encender el micrófono
microphone-turn-off = Apagar el micrófono
microphone-short = Micrófono
camera-turn-on = Encender la cámara
camera-turn-off = Apagar la cámara
camera-short = Cámara
device-starting = Un momento…
choose-microphone = Micrófono
choose-camera = Cámara
level-quiet = Di unas palabras para ver si tu micrófono funciona. Solo tú lo ves.
level-heard = Tu micrófono funciona.
problem-microphone = Tu micrófono está apagado.
problem-camera = Tu cámara está apagada.
problem-blocked = El navegador no lo permite. Pulsa el icono junto a la dirección, permítelo e inténtalo de nuevo. Puedes seguir sin ello.
problem-missing = No se encontró ningún dispositivo. Conéctalo e inténtalo de nuevo. Puedes seguir sin ello.
problem-gone = El dispositivo se ha desconectado. Conéctalo otra vez o usa otro. Puedes seguir sin ello.
problem-paused = Tu dispositivo lo ha puesto en pausa, por ejemplo por una llamada. Vuelve solo cuando termina.
paused-microphone = Ahora nadie puede oírte.
paused-camera = Ahora nadie puede verte.
problem-busy = Puede que otra aplicación lo esté usando. Ciérrala e inténtalo de nuevo. Puedes seguir sin ello.
problem-unsupported = Este navegador no puede usarlo aquí. Puedes seguir sin ello o probar con otro navegador.

## Lobby

lobby-title = Te damos la bienvenida, { $name }
lobby-text = Estás en la sala de espera. Una persona que modera te dejará entrar. No tienes que hacer nada.
lobby-off = Tu cámara y tu micrófono están apagados.
lobby-count =
    { $count ->
        [one] 1 persona espera.
       *[other] { $count } personas esperan.
    }
admit = Dejar entrar
admit-name = Dejar entrar a { $name }
admit-all = Dejar entrar a todas las personas
deny = Hoy no
deny-name = Hoy no: { $name }
deny-title = ¿No dejar entrar a { $name }?
deny-text = Leerá que esta vez no se le dejó entrar. Puede volver a abrir su enlace.

## Connection

connection = Conexión
reconnecting-title = Volviendo a conectar…
reconnecting-text = Tu lugar está guardado. No tienes que hacer nada.
read-only = Se está restableciendo la conexión con el grupo. Puedes seguir hablando.
say-read-only-over = El grupo vuelve a estar conectado del todo.
# After a command of a moderator: it is in force, but a second server has not confirmed its copy yet.
not-yet-safe = Hecho, pero aún no está guardado de forma segura. Comprueba en un momento si sigue así.
reconnecting-stalled = Todavía no se pudo recuperar la conexión.
media-restoring = El sonido y la imagen se están restableciendo. No tienes que hacer nada.
media-impossible = Este navegador no puede reproducir aquí sonido ni vídeo. Puedes leer y escribir al grupo, o volver con otro navegador.
trouble-weak = Conexión débil
trouble-poor = Conexión muy débil
trouble-down-bandwidth = Tu conexión va lenta ahora. El sonido va primero: algunas imágenes se ven más pequeñas o en pausa.
trouble-down-loss = Tu conexión pierde partes de lo que envían los demás. Pueden faltar palabras o imágenes.
trouble-down-delay = Tu conexión tarda. Puede que oigas tarde a los demás.
trouble-up-bandwidth = Tu conexión va lenta ahora. Los demás ven tu imagen más pequeña o no la ven.
trouble-up-loss = Tu conexión pierde partes de lo que envías. A los demás les pueden faltar palabras tuyas.
trouble-up-delay = Tu conexión tarda. Puede que los demás te oigan tarde.
trouble-device = Tu dispositivo está muy ocupado. Por ahora tu imagen se envía más pequeña; tu sonido no cambia.
trouble-camera-hint = Apagar tu cámara puede ayudar. Puedes quedarte solo con sonido.
hear = Pulsa para oír al grupo

## Agenda bar

agenda-not-begun = Empezamos pronto
agenda-debrief = Reunión del equipo
agenda-next = Después: { $title }
agenda-in = Parte de: { $title }
time-over = Se acabó el tiempo
time-left =
    { $minutes ->
        [0] { $seconds ->
            [one] Queda 1 segundo
           *[other] Quedan { $seconds } segundos
        }
        [one] Queda 1 minuto
       *[other] Quedan { $minutes } minutos
    }
seconds-short = { $seconds } s
prompt = Pregunta de ahora:

## Tiles

tiles = Personas en esta sala
tile-you = { $name } (tú)
tile-microphone-on = micrófono encendido
tile-microphone-off = micrófono apagado
tile-camera-on = cámara encendida
tile-camera-off = cámara apagada
tile-lost = sin conexión, lugar guardado
tile-lost-short = Reconectando
tile-turn = tiene la palabra
tile-turn-short = Turno
tile-hand = mano levantada, { $position }.º lugar
tile-pinned = persona fijada
tile-paused-bandwidth = imagen en pausa para que el sonido llegue bien
tile-paused-bandwidth-short = En pausa: sonido primero
tile-paused-hidden = la imagen vuelve enseguida
tile-paused-hidden-short = Un momento
tile-paused-overload = imagen en pausa porque el servidor está ocupado
tile-paused-overload-short = En pausa: servidor ocupado
tile-paused-codec = este navegador no puede mostrar la imagen
tile-paused-codec-short = No se puede mostrar aquí
tile-paused-crowd = en un grupo grande no se envían todas las imágenes
tile-paused-crowd-short = No caben todas las imágenes
tile-paused-own = sin imagen, porque elegiste solo sonido
tile-paused-own-short = Solo sonido
pin = Fijar a { $name }: siempre en grande, en la primera página
unpin = Dejar de fijar a { $name }
nobody-else = Ahora mismo no hay nadie más aquí.
pager = Páginas de personas
pager-before = Página anterior
pager-after = Página siguiente
pager-page = Página { $page } de { $pages }
pager-speaking = Habla: { $names }
role-participant = Integrante
role-leader = Líder de pares
role-moderator = Modera

## What is going on

now-waiting = La sesión aún no ha empezado. Ponte en un lugar cómodo.
now-debrief = El grupo ya salió. Ahora solo está el equipo.
round-your-turn = Es tu turno
round-turn-of = { $name } tiene la palabra
round-over = Todas las personas han tenido su turno
round-volunteer = ¿Quién quiere hablar?
round-next-soon = El próximo turno empieza enseguida
round-then = Después: { $names }
round-not-yet = Aún no: { $names }
round-listening = Ahora escuchamos. Durante un turno no se oye a nadie más.
round-soft-label = Tiempo sugerido que queda:
round-soft-over = Tómate el tiempo que necesites
turn-done = He terminado
turn-take = Quiero hablar
turn-pass = Paso
turn-later = Vuelve a mí después
turn-next = Siguiente persona
round-end = Terminar la ronda
hand-position =
    { $position ->
        [1] Eres la siguiente persona en la fila.
        [2] Ocupas el segundo lugar en la fila.
        [3] Ocupas el tercer lugar en la fila.
        [4] Ocupas el cuarto lugar en la fila.
        [5] Ocupas el quinto lugar en la fila.
       *[other] Ocupas el lugar { $position } en la fila.
    }
hand-queue = Manos: { $names }
goal-title = Mi meta
goal-label = Un pequeño paso hasta la próxima vez
goal-who = Quién puede leerla
goal-private = Solo yo
goal-group = El grupo
goal-save = Guardar mi meta
goal-saved = Tu meta está guardada.
goal-removed = Tu meta se ha quitado.
goal-shared = Metas que comparten las demás personas
help-request = Pedir que venga quien modera
help-request-main = Pedir apoyo a quien modera
help-sent = Se ha avisado a quien modera. Nadie más lo ve.
help-sent-nobody = Ahora no hay nadie que modere. Tu aviso lo verá la primera persona que llegue a moderar.
help-seen = { $name } ha visto tu aviso.
help-cancel = Ya no hace falta
help-open-count =
    { $count ->
        [one] 1 persona pide ayuda.
       *[other] { $count } personas piden ayuda.
    }
a-moderator = Alguien que modera

## Toolbar

toolbar = Controles de la llamada
hand = Mano
hand-raise = Levantar la mano
hand-lower = Bajar la mano
react = Enviar una reacción
react-short = Reacción
reaction-heart = Corazón
reaction-heart-symbol = ❤️
reaction-thanks = Gracias
reaction-thanks-symbol = 🙏
reaction-applause = Aplauso
reaction-applause-symbol = 👏
reaction-support = Te acompaño
reaction-support-symbol = 🤝
reaction-agree = Yo también
reaction-agree-symbol = 👍
panel-chat = Chat
panel-chat-short = Chat
panel-chat-title = Chat
panel-chat-count = Chat, { $count } sin leer
panel-people = Personas
panel-people-short = Personas
panel-people-title = Personas
panel-people-count = Personas, { $count } te esperan
panel-agenda = Agenda
panel-agenda-short = Agenda
panel-agenda-title = Agenda
panel-board = Grupos pequeños
panel-board-short = Grupos
panel-board-title = Grupos pequeños
end-session = Terminar la sesión
end-session-short = Terminar
leave = Salir

## Chat

chat-scope-main = Lo leen todas las personas de la sala principal. No se guarda.
chat-scope-room = Lo leen todas las personas de este grupo pequeño. No se guarda.
chat-everywhere = A todas las salas
chat-log = Mensajes
chat-empty = Aún no hay mensajes.
chat-label = Mensaje para todas las personas aquí
chat-newer = Hay mensajes nuevos abajo
chat-moved = Ahora estás en otra sala. Si es para las personas de aquí, envíalo de nuevo.
chat-placeholder = Escribe un mensaje

## People

people-in = { $room }, { $count ->
        [one] 1 persona
       *[other] { $count } personas
    }
main-room = Sala principal
for-everyone = Para toda la sala
mute-everyone = Silenciar a todo el grupo aquí
lock = Cerrar la sala: no entra nadie nuevo
auto-admit = Dejar entrar sin esperar
hard-muted = Quien modera ha silenciado el micrófono
actions-for = Más para { $name }
do-mute = Silenciar
do-mute-hard = Silenciar y mantener así
do-unmute-hard = Permitir de nuevo el micrófono
do-camera-off = Apagar la cámara
do-lower-hand = Bajar la mano
do-give-turn = Dar la palabra
do-spotlight = Mostrar en grande para todo el grupo
do-spotlight-off = Dejar de mostrar en grande
do-rename = Cambiar el nombre
do-role-participant = Hacer integrante
do-role-leader = Hacer líder de pares
do-role-moderator = Dar la moderación
do-aside = Hablar a solas
aside-room = Sala tranquila ({ $name })
aside-with = Aquí solo están tú y { $name }.
aside-end = Volver a la sala principal
do-visit = Ir a esta sala
do-remove = Sacar de la sesión
own-settings = Para ti
rename-self = Mi nombre
rename-title = Cambiar el nombre de { $name }
renamed = El nombre ahora es { $name }.
remove-title = ¿Sacar a { $name }?
remove-text = Sale ahora y no puede volver a esta sesión.
help-title = Piden ayuda
help-from = pide que alguien vaya a { $room }.
help-acknowledge = Lo he visto
help-acknowledged = { $name } lo ha visto.
visit = Visitar

## Small groups

lead-label = Avisar antes de mover a alguien
lead-option =
    { $seconds ->
        [0] Mover enseguida
       *[other] { $seconds } segundos antes
    }
pending-open = Los grupos pequeños se abren en
pending-close = Todo el grupo vuelve en
pending-move = { $names }: cambio de sala en
plan-intro =
    { $count ->
        [one] Se puede ubicar a 1 persona.
       *[other] Se puede ubicar a { $count } personas.
    } No pasa nada hasta que abras las salas.
strategy-label = Cómo ubicar a las personas
strategy-even = Por igual, en orden de llegada
strategy-random = Al azar
strategy-by_leader = Una sala por líder de pares
strategy-by_hand = A mano
plan-rooms = Salas
plan-minutes = Minutos (0: sin límite)
plan-prompt = Pregunta para las salas
plan-draft = Hacer un borrador
plan-hint = Un borrador. Solo lo ve quien modera.
plan-stays = Se quedan en la sala principal ({ $count })
plan-free = Aún sin sala ({ $count })
plan-nowhere = En ninguna sala
plan-add-room = Añadir una sala
plan-remove-room = Quitar { $room }
plan-make-leader = Guía esta sala
plan-no-leader = No guía esta sala
plan-open = Abrir las salas
plan-discard = Descartar el borrador
planned = { $name }: { $room }
room-name = Nombre de la sala { $number }
room-name-new = Nombre de la sala
room-numbered = Sala { $number }
leads = Guía
alone-title = Alguien se quedaría sin compañía
alone-text = Habría una persona sola en una sala. Puedes ubicarla antes, o abrir las salas tal como están.
alone-yes = Abrir así
opening-soon = Ya se ha avisado. Las salas se abren enseguida.
opened = Las salas están abiertas.
closing-soon = Ya se ha avisado. Todo el grupo vuelve enseguida.
closed = Todo el grupo está de vuelta en la sala principal.
breakouts-time = Tiempo en las salas:
extend-minutes = +{ $minutes } minutos
close-all = Traer a todo el grupo de vuelta
broadcast-label = Mensaje a todas las salas
broadcast-sent = Enviado a todas las salas.
move-menu = Mover a…
move-name = Mover a… ({ $name })
moved = { $name } está ahora en { $room }.
moving-soon = { $name } ya lo sabe y pasa a { $room } enseguida.
move-several = Mover a varias personas
move-several-who = ¿A quién?
move-several-where = ¿Adónde?
move-selected = Mover la selección ({ $count })
moved-several =
    { $count ->
        [one] 1 persona está ahora en { $room }.
       *[other] { $count } personas están ahora en { $room }.
    }
moving-several-soon =
    { $count ->
        [one] 1 persona ya lo sabe y pasa a { $room } enseguida.
       *[other] { $count } personas ya lo saben y pasan a { $room } enseguida.
    }
swap-title = Cambiar de lugar con
swap-with = { $name } ({ $room })
swapped = { $first } y { $second } han cambiado de lugar.
visit-name = Visitar { $room }
return = Volver
you-are-here = Estás aquí
help-called = Pide ayuda
room-actions = Más para { $room }
merge-into = Unir con { $room }
room-merged = { $room } ahora es parte de { $into }.
split = Dividir esta sala
split-title = Dividir { $room }
split-who = ¿Quién va a la sala nueva?
split-do = Dividir
room-split = { $room } está abierta.
rename-room = Cambiar el nombre de la sala
room-renamed = La sala ahora se llama { $room }.
close-room = Cerrar esta sala
room-closed = { $room } está cerrada. Su gente está en la sala principal.

## Announced moves

move-to-room = Vas a pasar a { $room }
move-to-main = Vas a volver a la sala principal
move-with = Con { $names }.
move-back = Vuelves a las { $time }, después de { $minutes ->
        [one] 1 minuto.
       *[other] { $minutes } minutos.
    }
move-back-open = Quien modera te traerá de vuelta.
move-unchanged = Tu cámara y tu micrófono siguen como están.

## Agenda editing

phase-begin = Empezar: { $title }
phase-next = Siguiente: { $title }
phase-back = Un paso atrás
phase-leaving-title = Los grupos pequeños siguen abiertos
phase-leaving-text = Todo el grupo pasaría enseguida a la sala principal, sin aviso. Para avisar antes, pulsa «Traer a todo el grupo de vuelta» en Grupos.
phase-leaving-yes = Seguir enseguida
phase-minutes =
    { $minutes ->
        [one] 1 minuto
       *[other] { $minutes } minutos
    }
phase-open-end = Sin límite de tiempo
phase-now = Ahora
phase-skipped = Se salta
phase-actions = Más para { $title }
phase-edit = Editar
phase-skip = Saltar
phase-unskip = No saltar
phase-up = Subir
phase-down = Bajar
phase-delete = Eliminar
phase-add = Añadir un paso
phase-new = Paso nuevo
phase-title = Título
phase-kind = Tipo
phase-kind-check_in = Ronda de llegada
phase-kind-topic = Tema
phase-kind-breakouts = Grupos pequeños
phase-kind-reflection = Reflexión y metas
phase-kind-break = Pausa
phase-kind-close = Cierre
phase-kind-custom = Otro
phase-prompt = Pregunta en pantalla
phase-duration = Minutos (0: sin límite)
round-start-title = Ronda en esta sala
round-order-label = Orden
round-order-list = En orden de llegada
round-order-random = Al azar
round-order-volunteer = Quien quiera hablar
round-minutes = Minutos sugeridos por persona
round-quiet = Solo se oye a quien tiene la palabra
round-start = Empezar una ronda

## Ending

end-title = ¿Terminar la sesión?
end-text = Todas las personas salen. Puedes quedarte con el equipo para una reunión.
end-debrief-text = La reunión termina para todo el equipo.
end-with-debrief = Terminar y quedarse con el equipo
end-for-all = Terminar para todo el grupo
rejoin = Volver a entrar
use-this-tab = Usar esta pestaña
over-left-title = Has salido
over-left-text = Gracias por estar aquí. Tómate un momento para ti. Puedes volver mientras siga la sesión.
over-declined-title = Está bien
over-declined-text = No hace falta dar una razón. Puedes volver cuando quieras.
over-removed-title = Tu parte en esta sesión ha terminado
over-removed-text = Quien modera ha terminado tu parte en esta sesión. Si tienes preguntas, habla con tu programa.
over-denied-title = Esta vez no te dejaron entrar
over-denied-text = Si crees que es un error, habla con tu programa.
over-session-over-title = La sesión ha terminado
over-session-over-text = Gracias por estar aquí. Tómate un momento antes de seguir con tu día.
over-superseded-title = Abierta en otra pestaña
over-superseded-text = Abriste esta sesión en otra pestaña o ventana. Esta se ha detenido.
over-token-invalid-title = Este enlace no funciona
over-token-invalid-text = Puede que esté incompleto. Copia el enlace entero o pide uno nuevo.
over-token-expired-title = Este enlace ha caducado
over-token-expired-text = Pide un enlace nuevo, por favor.
over-token-foreign-title = Este enlace es de otro lugar
over-token-foreign-text = Se hizo para otro servicio. Pide un enlace nuevo, por favor.
over-protocol-unsupported-title = Vuelve a cargar esta página
over-protocol-unsupported-text = Esta página y el servidor no tienen la misma versión.
over-room-full-title = La sesión está llena
over-room-full-text = Inténtalo de nuevo en un momento o habla con tu programa.
over-room-locked-title = La sesión está cerrada
over-room-locked-text = Ahora no puede entrar nadie nuevo. Habla con quien modera o inténtalo en un momento.
over-agreement-required-title = El acuerdo del grupo ha cambiado
over-agreement-required-text = Léelo de nuevo y acéptalo para entrar.
over-name-invalid-title = Elige otro nombre
over-name-invalid-text = Un nombre tiene de 1 a 40 caracteres.
over-ticket-used-title = Este enlace ya se usó
over-ticket-used-text = Solo funciona una vez. Pide un enlace nuevo, por favor.
over-no-link-title = Aquí no hay sesión
over-no-link-text = Abre el enlace que te dieron.
over-unreachable-title = No se puede llegar al servicio
over-unreachable-text = Revisa tu conexión e inténtalo de nuevo.
over-other-title = La sesión se ha detenido
over-other-text = Algo falló de nuestro lado. Abre tu enlace otra vez.

## Refusals

reject-bad_message = La página envió algo que el servidor no entiende. Vuelve a cargarla.
reject-too_large = Es demasiado largo.
reject-rate_limited = Fueron muchas cosas a la vez. Espera un momento.
reject-busy = La sala no respondió a tiempo. Inténtalo de nuevo.
reject-not_allowed = Tu función no incluye eso.
reject-not_now = Ahora mismo no es posible.
reject-not_here = Esa persona o sala ya no está.
reject-not_admitted = Sigues en la sala de espera.
reject-stale_version = Otra persona cambió esto hace un momento. Míralo de nuevo.
reject-room_full = La sala está llena.
reject-room_locked = La sala está cerrada.
reject-agreement_required = Acepta primero el acuerdo del grupo.
reject-hard_muted = Quien modera ha silenciado tu micrófono por ahora.
reject-not_your_turn = Es el turno de otra persona.
reject-name_invalid = Elige un nombre de 1 a 40 caracteres.
reject-nothing_to_undo = No hay nada que deshacer.
reject-plan_infeasible = Este plan no encaja con las personas que están. Comprueba que ninguna sala esté vacía y que cada una tenga a quien necesita.
reject-person_alone = Alguien se quedaría sin compañía.
reject-limit_reached = No puede haber más.
reject-bad_offer = No se pudo preparar el sonido ni el vídeo.
reject-no_media = Ahora no hay sonido ni vídeo.

## Said to screen readers

say-microphone-on = Tu micrófono está encendido.
say-microphone-off = Tu micrófono está apagado.
say-camera-on = Tu cámara está encendida.
say-camera-off = Tu cámara está apagada.
say-came =
    { $count ->
        [one] { $name } ha entrado.
       *[other] Han entrado { $count } personas.
    }
say-went =
    { $count ->
        [one] { $name } ha ido a otra sala.
       *[other] { $count } personas han ido a otra sala.
    }
say-admitted = Ya estás en la sala.
say-moved-main = Estás de vuelta en la sala principal.
say-moved-room = Ahora estás en { $room }.
say-role-participant = Ahora eres integrante del grupo.
say-role-leader = Ahora eres líder de pares.
say-role-moderator = Ahora moderas la sesión.
say-muted-by = { $name } apagó tu micrófono.
say-camera-off-by = { $name } apagó tu cámara.
say-hard-muted = Quien modera ha silenciado tu micrófono por ahora.
say-hard-mute-lifted = Puedes volver a encender tu micrófono.
say-hand-lowered = Se bajó tu mano.
say-waiting = { $name } está en la sala de espera.
say-joined = { $name } ha entrado.
say-left = { $name } ha salido.
say-lost = { $name } perdió la conexión.
say-back = { $name } ha vuelto.
say-chat = { $name }: { $text }
say-reaction-heart = { $name } envía un corazón.
say-reaction-thanks = { $name } da las gracias.
say-reaction-applause = { $name } aplaude.
say-reaction-support = { $name } te acompaña.
say-reaction-agree = { $name } está de acuerdo.
say-timer-phase =
    { $seconds ->
        [300] Quedan 5 minutos.
        [60] Queda 1 minuto.
       *[other] Quedan { $seconds } segundos.
    }
say-timer-breakouts =
    { $seconds ->
        [300] Quedan 5 minutos en los grupos pequeños.
        [60] Queda 1 minuto en los grupos pequeños.
       *[other] Quedan { $seconds } segundos en los grupos pequeños.
    }
say-over-phase = Se acabó el tiempo de este paso.
say-over-breakouts = Se acabó el tiempo en los grupos pequeños.
say-phase = Ahora: { $title }
say-turn = { $name } tiene la palabra.
say-help = { $name } pide que vaya quien modera.
say-help-seen = { $name } ha visto tu aviso.
say-connection-lost = Se perdió la conexión. Volviendo a conectar. Tu lugar está guardado.
say-media-back = El sonido y la imagen han vuelto.
say-connection-back = Ya hay conexión de nuevo.

outdated = Esta página es más antigua que el servidor. Vuelve a cargarla; tu lugar se conserva.
outdated-reload = Cargar la página de nuevo
