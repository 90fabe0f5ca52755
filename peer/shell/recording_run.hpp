#pragma once

#include "peer/shell/recording_session.hpp"

#include <optional>
#include <string>

/// What `ppsp-peer` does with recordings, once its command line is read.
namespace ppsp::peer {

struct SeedRun {
    std::string file;
    std::optional<TrackerAddress> tracker;
    NodeOptions node;
    std::optional<std::uint32_t> seconds;
    std::string statistics; ///< `--stats-json`; empty = none
    wire::HashFunction hash_function = wire::HashFunction::sha256;
};

/// Hashes and seeds until a signal or the end of the time; prints the link. The error is a
/// sentence.
[[nodiscard]] Result<void, std::string> run_seed(SeedRun const& run);

struct FetchRun {
    ChannelLink link;
    std::string output; ///< `-`, a file, or empty
    std::optional<Endpoint> gateway;
    NodeOptions node;
    std::optional<std::uint32_t> seconds;
    std::chrono::seconds join_timeout{30};
    std::string statistics; ///< `--stats-json`; empty = none
};

/// Fetches until all is there, a signal, or the end of the time; with a gateway it goes on serving
/// players and peers. The error is a sentence.
[[nodiscard]] Result<void, std::string> run_fetch(FetchRun const& run);

} // namespace ppsp::peer
