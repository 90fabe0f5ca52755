#pragma once

#include "peer/engine/io.hpp"
#include "peer/storage/munro_recorder.hpp"
#include "peer/storage/object_collector.hpp"

#include <deque>
#include <functional>
#include <map>
#include <string>

/// Web servers of a virtual swarm: all hold what the source publishes, each with a way and faults
/// of its own.
namespace ppsp::test {

struct Answer {
    unsigned status = 0;
    ByteVector body;
};

class VirtualStorage {
public:
    struct Server {
        peer::StorageServer about;
        Duration latency = std::chrono::milliseconds{20}; ///< from asking to a short answer
        double bytes_per_second = 20e6;                   ///< of one answer
        double uplink_bytes_per_second = 0;               ///< of all together; 0 = no limit
        TimePoint busy_until{};
        Duration publish_lag = std::chrono::milliseconds{30};
        bool alive = true;
        bool knows_ranges = true;
        /// May change an answer.
        std::function<void(peer::FetchWanted const&, Answer&)> meddle;
        std::uint64_t requests = 0;
        std::uint64_t bytes = 0;
        std::uint64_t not_found = 0;
    };

    std::vector<Server> servers;

    /// `signer` signs for the source through `recorder()`.
    void begin(integrity::Signer& signer, peer::ObjectCollector objects);
    [[nodiscard]] integrity::Signer& recorder() { return *recorder_; }
    /// The source signed a unit.
    void on_unit(TimePoint now, UnixMicros utc, ByteVector payload, bool random_access);
    /// What the server sends, and how long it takes.
    std::pair<Answer, Duration> answer(TimePoint now, peer::FetchWanted const& wanted);

private:
    struct File {
        TimePoint made{};
        ByteVector bytes;
    };
    integrity::Signer* signer_ = nullptr;
    std::unique_ptr<peer::MunroRecorder> recorder_;
    std::optional<peer::ObjectCollector> objects_;
    std::map<std::string, File> files_;
    std::deque<std::string> order_; ///< of `files_`, oldest first
    std::vector<File> indexes_;     ///< oldest first
};

} // namespace ppsp::test
