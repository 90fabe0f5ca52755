#pragma once

#include "player/bridge/media_source.hpp"

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace ppsp::player::test {

/// A channel without a network: the test says what the node would. May be used from any thread,
/// and outlives the sources opened on it.
class FakeChannel : public std::enable_shared_from_this<FakeChannel> {
public:
    [[nodiscard]] static std::shared_ptr<FakeChannel> make()
    {
        return std::shared_ptr<FakeChannel>(new FakeChannel);
    }
    [[nodiscard]] MediaSourceFactory factory();

    void push(std::vector<std::uint8_t> bytes, bool discontinuity = false);
    void push(std::string const& text, bool discontinuity = false)
    {
        push(std::vector<std::uint8_t>(text.begin(), text.end()), discontinuity);
    }
    /// The next `count` reads find nothing, whatever has been pushed.
    void time_out(int count);
    void end();
    void fail(std::string sentence);
    /// Every later open fails with this sentence.
    void refuse(std::string sentence);
    void say(std::string const& sentence);
    void set_latency_target(std::chrono::milliseconds target);
    void set_statistics(std::string json);

    /// Returns when a reader waits with nothing to read; false after five seconds.
    [[nodiscard]] bool wait_until_starved();
    [[nodiscard]] ViewerOptions last_options() const;
    [[nodiscard]] int sources_alive() const;

private:
    class Source;
    FakeChannel() = default;

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<MediaPiece> pieces_;
    ViewerOptions options_;
    std::string refusal_;
    std::string error_;
    std::string statistics_ = R"({"startup_ms":5,"media_bytes":0})";
    std::chrono::milliseconds target_{800};
    bool ended_ = false;
    bool interrupted_ = false;
    int timeouts_ = 0;
    int waiting_ = 0;
    int sources_ = 0;
};

} // namespace ppsp::player::test
