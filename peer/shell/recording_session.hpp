#pragma once

#include "peer/shell/recording_file.hpp"
#include "peer/shell/swarm_session.hpp"

namespace ppsp::peer {

/// One node that seeds a recording, or fetches one.
class RecordingSession {
public:
    struct Options {
        /// Fetching: of a recording. Seeding: trackers only; the rest is found out.
        ChannelLink link;
        NodeOptions node;
        /// Seeding: of the hash tree. Fetching: the size of the root tells.
        wire::HashFunction hash_function = wire::HashFunction::sha256;
        /// Sentences for people, from any thread.
        std::function<void(std::string const&)> on_message;
    };

    /// Seeds `path`, after hashing it; `on_progress` as for `hash_recording`. The error is a
    /// sentence, empty if `on_progress` ended it.
    [[nodiscard]] static Result<std::unique_ptr<RecordingSession>, std::string>
    seed(std::string const& path, Options options,
         std::function<bool(std::uint64_t, std::uint64_t)> const& on_progress);
    /// Fetches the link's recording into `path`: written beside it as `path.part`, renamed when it
    /// is whole. Empty = kept for this run only. The error is a sentence.
    [[nodiscard]] static Result<std::unique_ptr<RecordingSession>, std::string>
    fetch(std::string const& path, Options options);
    ~RecordingSession();
    RecordingSession(RecordingSession const&) = delete;
    RecordingSession& operator=(RecordingSession const&) = delete;

    // Any thread:
    [[nodiscard]] std::string link() const;
    [[nodiscard]] std::string swarm() const; ///< hex
    [[nodiscard]] std::string udp_address() const;

    struct Progress {
        std::optional<std::uint64_t> length; ///< bytes, while known
        std::uint64_t held = 0;              ///< bytes
        std::uint32_t neighbours = 0;
        std::string error; ///< the disk, or a tracker that refuses; a sentence

        [[nodiscard]] bool is_whole() const { return length && held == *length; }
    };
    [[nodiscard]] Progress progress();
    /// A player waits for this byte and what follows; nullopt = nobody waits.
    void play_from(std::optional<std::uint64_t> position);
    /// Bytes from `position` on that are there, at most `size`; empty while there are none.
    [[nodiscard]] ByteVector read(std::uint64_t position, std::size_t size);
    /// All is there: gives the file its name. The error is a sentence.
    [[nodiscard]] Result<void, std::string> finish();
    /// A line of `--stats-json`; after `stop` the final one.
    [[nodiscard]] std::string statistics_json();
    /// What the tracker said so far, for the one who waits.
    [[nodiscard]] TrackerProgress tracker_progress();
    /// Leaves tracker and neighbours; later calls do nothing.
    void stop();

private:
    struct Parts;
    explicit RecordingSession(std::unique_ptr<Parts> parts);
    std::unique_ptr<Parts> parts_;
};

} // namespace ppsp::peer
