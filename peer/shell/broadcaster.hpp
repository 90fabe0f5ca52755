#pragma once

#include "peer/shell/channel_link.hpp"
#include "peer/shell/publisher.hpp"
#include "protocol/base/time.hpp"

#include <functional>
#include <memory>

namespace ppsp::peer {

struct BroadcastOptions {
    std::optional<TrackerAddress> tracker; ///< none: the link names this node as peer
    std::string input;                     ///< as ingest/input_spec.hpp reads it
    std::string key_file;                  ///< made if missing; empty = a key for this run only
    Endpoint listen;
    std::string title;
    bool loop = false;
    bool encode = false;
    bool stamp_clock = false;
    std::optional<std::uint32_t> video_kbps;
    std::optional<std::uint64_t> upload_kbps;
    Duration unit_time = std::chrono::milliseconds{50};
    bool strict = false;
    bool forgive_link_loss = false;
    std::string channel_file;  ///< `--write-link`; empty = none
    std::string cut_file;      ///< the stream as it was cut, for comparing; empty = none
    std::string record_folder; ///< where the stream is kept as a recording; empty = nowhere
    PublisherOptions publish;  ///< besides the swarm; its `on_message` is ours
    /// Sentences for people, from any thread.
    std::function<void(std::string const&)> on_message;
};

/// A source node: input, chunker, engine. Runs on threads of its own.
class Broadcaster {
public:
    /// Input that is measured to choose the size of a unit, when nothing else tells the rate.
    static constexpr Duration measure_time = std::chrono::seconds{2};
    /// Bytes kept while measuring (2 s of 60 Mbit/s); more ends the measurement early.
    static constexpr std::size_t measure_bytes_max = std::size_t{16} << 20;
    /// Neighbours get this long for the last units after the input has ended.
    static constexpr std::chrono::seconds linger{3};

    /// Opens key, socket and, unless a sender has to come first, the input. The error is a
    /// sentence.
    [[nodiscard]] static Result<std::unique_ptr<Broadcaster>, std::string>
    open(BroadcastOptions options);
    ~Broadcaster();
    Broadcaster(Broadcaster const&) = delete;
    Broadcaster& operator=(Broadcaster const&) = delete;

    [[nodiscard]] std::string link() const;
    [[nodiscard]] std::string udp_address() const;

    enum class State : std::uint8_t {
        running,
        ended,  ///< the input is over and its last units had time to leave
        failed, ///< `error` says why
    };
    /// Waits at most `time` for something other than `running`.
    [[nodiscard]] State wait(std::chrono::milliseconds time);
    [[nodiscard]] std::string error() const;
    /// Leaves tracker and neighbours; later calls do nothing.
    void stop();
    /// A line of `--stats-json`; after `stop` the final one.
    [[nodiscard]] std::string statistics_json();

private:
    struct Parts;
    explicit Broadcaster(std::unique_ptr<Parts> parts);
    std::unique_ptr<Parts> parts_;
};

} // namespace ppsp::peer
