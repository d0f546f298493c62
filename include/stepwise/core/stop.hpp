#pragma once

namespace stepwise {

// A run can be asked to end early: by a signal, by a time limit. Long loops look now and then, and leave their work
// where it is not worth keeping; what is worth keeping is the caller's business (dist/agree.hpp: stop_together).

/// Asks this process to stop at its next safe point. Async-signal-safe.
void request_stop() noexcept;

/// Whether that was asked for. Any thread, costs nothing.
[[nodiscard]] bool stop_requested() noexcept;

/// Takes the request back (tests).
void forget_stop_request() noexcept;

}  // namespace stepwise
