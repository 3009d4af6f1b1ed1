# SPDX-License-Identifier: Apache-2.0
"""What signaling costs: connecting, telling a room, answering; beside Node's Socket.IO and stock python-socketio."""
