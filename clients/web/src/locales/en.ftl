# SPDX-License-Identifier: Apache-2.0
page-title = Group session
