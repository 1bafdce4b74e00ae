// SPDX-License-Identifier: Apache-2.0
// How the threads of LibTorch wait for work.
#pragma once

namespace kvcal {

/// Starts the program anew with OMP_WAIT_POLICY=passive, unless the user has said how to wait. Call
/// before anything is written or computed.
///
/// A waiting thread of libgomp spins for milliseconds by default. Beside other work on the machine
/// it takes the time slice that the thread it waits for would need: a decode step of 50 ms then
/// takes 700. libgomp reads its settings while it is loaded, so main is too late to change them.
/// Results are the same either way; if the program cannot be started again, it goes on.
void let_waiting_threads_sleep(char** argv);

}  // namespace kvcal
