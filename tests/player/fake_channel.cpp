#include "fake_channel.hpp"

#include <utility>

namespace ppsp::player::test {

class FakeChannel::Source final : public MediaSource {
public:
    explicit Source(std::shared_ptr<FakeChannel> channel) : channel_(std::move(channel))
    {
        std::scoped_lock const lock{channel_->mutex_};
        ++channel_->sources_;
        channel_->interrupted_ = false;
    }
    ~Source() override
    {
        std::scoped_lock const lock{channel_->mutex_};
        --channel_->sources_;
    }

    ReadStatus read(MediaPiece& piece, std::chrono::milliseconds timeout) override
    {
        auto& c = *channel_;
        std::unique_lock lock{c.mutex_};
        if (c.timeouts_ > 0) {
            --c.timeouts_;
            return ReadStatus::timed_out;
        }
        ++c.waiting_;
        c.changed_.notify_all();
        c.changed_.wait_for(lock, timeout, [&c] {
            return c.interrupted_ || !c.pieces_.empty() || c.ended_ || !c.error_.empty();
        });
        --c.waiting_;
        if (c.interrupted_) {
            return ReadStatus::interrupted;
        }
        if (!c.pieces_.empty()) {
            piece = std::move(c.pieces_.front());
            c.pieces_.pop_front();
            return ReadStatus::media;
        }
        if (!c.error_.empty()) {
            return ReadStatus::failed;
        }
        return c.ended_ ? ReadStatus::ended : ReadStatus::timed_out;
    }
    void interrupt() override { set_interrupted(true); }
    void resume() override { set_interrupted(false); }
    std::string error() const override { return read_field(channel_->error_); }
    std::string statistics_json() const override { return read_field(channel_->statistics_); }
    std::string swarm() const override { return "0dabcdef"; }
    std::string udp_address() const override { return "127.0.0.1:4242"; }
    std::chrono::milliseconds latency_target() const override
    {
        return read_field(channel_->target_);
    }

private:
    void set_interrupted(bool value)
    {
        std::scoped_lock const lock{channel_->mutex_};
        channel_->interrupted_ = value;
        channel_->changed_.notify_all();
    }
    template <typename Field>
    Field read_field(Field const& field) const
    {
        std::scoped_lock const lock{channel_->mutex_};
        return field;
    }

    std::shared_ptr<FakeChannel> channel_;
};

MediaSourceFactory FakeChannel::factory()
{
    return [channel = shared_from_this()](ViewerOptions options,
                                          std::string& error) -> std::unique_ptr<MediaSource> {
        {
            std::scoped_lock const lock{channel->mutex_};
            channel->options_ = std::move(options);
            if (!channel->refusal_.empty()) {
                error = channel->refusal_;
                return nullptr;
            }
        }
        return std::make_unique<Source>(channel);
    };
}

void FakeChannel::push(std::vector<std::uint8_t> bytes, bool discontinuity)
{
    std::scoped_lock const lock{mutex_};
    pieces_.push_back(MediaPiece{std::move(bytes), 0, discontinuity});
    changed_.notify_all();
}

void FakeChannel::time_out(int count)
{
    std::scoped_lock const lock{mutex_};
    timeouts_ = count;
}

void FakeChannel::end()
{
    std::scoped_lock const lock{mutex_};
    ended_ = true;
    changed_.notify_all();
}

void FakeChannel::fail(std::string sentence)
{
    std::scoped_lock const lock{mutex_};
    error_ = std::move(sentence);
    changed_.notify_all();
}

void FakeChannel::refuse(std::string sentence)
{
    std::scoped_lock const lock{mutex_};
    refusal_ = std::move(sentence);
}

void FakeChannel::say(std::string const& sentence)
{
    last_options().on_message(sentence);
}

void FakeChannel::set_latency_target(std::chrono::milliseconds target)
{
    std::scoped_lock const lock{mutex_};
    target_ = target;
}

void FakeChannel::set_statistics(std::string json)
{
    std::scoped_lock const lock{mutex_};
    statistics_ = std::move(json);
}

bool FakeChannel::wait_until_starved()
{
    std::unique_lock lock{mutex_};
    return changed_.wait_for(lock, std::chrono::seconds{5},
                             [this] { return waiting_ > 0 && pieces_.empty(); });
}

ViewerOptions FakeChannel::last_options() const
{
    std::scoped_lock const lock{mutex_};
    return options_;
}

int FakeChannel::sources_alive() const
{
    std::scoped_lock const lock{mutex_};
    return sources_;
}

} // namespace ppsp::player::test
