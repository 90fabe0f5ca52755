#pragma once

#include "peer/shell/channel_link.hpp"
#include "peer/shell/node.hpp"
#include "peer/shell/tracker_client.hpp"

namespace ppsp::peer {

/// One node in one swarm with all that finds neighbours for it: what viewer, broadcaster and
/// recordings have in common.
class SwarmSession {
public:
    struct Options {
        ChannelLink link;
        NodeOptions node;
        std::string cache_token; ///< shown to the link's caches; empty = none
        /// Sentences for people, on the node's thread.
        std::function<void(std::string const&)> on_message;
        /// The tracker does not take this channel and nobody else can introduce us: a sentence, on
        /// the node's thread, once.
        std::function<void(std::string const&)> on_refused;
        /// On the node's thread.
        std::function<void(MediaReady&&)> on_media;
    };

    /// Time that a tracker has to take our goodbye; with it all of `stop` stays below 2 s.
    static constexpr std::chrono::milliseconds leave_wait_max{1200};

    /// Binds the socket; the error is a sentence.
    [[nodiscard]] static Result<std::unique_ptr<SwarmSession>, std::string> open(Options options);
    ~SwarmSession();
    SwarmSession(SwarmSession const&) = delete;
    SwarmSession& operator=(SwarmSession const&) = delete;

    [[nodiscard]] Node& node();
    /// Enters the swarm and begins to look for others. On the node's thread, once.
    void join(LiveSwarmConfig const& config, integrity::Signer* signer);
    /// As above, the swarm of a recording.
    void join(JoinRecording const& recording);
    /// Media flows. On the node's thread.
    void note_playing();

    // Any thread:
    /// Leaves tracker and neighbours and ends the node; later calls do nothing.
    void stop();
    [[nodiscard]] TrackerProgress tracker_progress();
    /// A line of `--stats-json`; after `stop` the final one.
    [[nodiscard]] std::string statistics_json();
    [[nodiscard]] SwarmStatistics statistics();

private:
    struct Parts;
    explicit SwarmSession(std::unique_ptr<Parts> parts);
    std::unique_ptr<Parts> parts_;
};

} // namespace ppsp::peer
