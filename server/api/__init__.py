# SPDX-License-Identifier: Apache-2.0
"""HTTP: the page, tickets, health, and the API for care platforms.

`web` serves the page and `tickets` swaps links, with the `headers` and the access log that every answer has; `health`
is for load balancers. The API under /api/v1 is `platform`: who may use it (`access`), what is said (`schema`), bodies
and problems (`bodies`), who was there (`attendance`), and its description (`openapi`, `reference`).
"""
