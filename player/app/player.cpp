#include "player/app/player.hpp"

#include "player/app/picture.hpp"
#include "player/app/pipeline.hpp"
#include "player/app/play_statistics.hpp"
#include "player/app/sinks.hpp"
#include "player/plugin/ppspsrc.hpp"

#include <glib-unix.h>

#include <algorithm>
#include <csignal>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace ppsp::player {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds statistics_interval{1000};
/// Until then an empty screen needs no explanation.
constexpr milliseconds patience{2000};
/// The node gives up first, and knows better why.
constexpr seconds decode_grace{2};

/// Begins every sentence for people.
constexpr char const* speaker = "ppsp-play: ";

constexpr int exit_done = 0;
constexpr int exit_failed = 1;

/// Tells viewers which of their windows this is.
std::string window_title(std::string const& link)
{
    auto const end = link.find('?');
    auto const path = link.substr(0, end);
    auto const name = path.substr(path.rfind('/') + 1);
    return "ppsp-play " + (name.size() > 16 ? name.substr(0, 16) + "..." : name);
}

/// Event sources of the default main context, removed together.
class Timers {
public:
    ~Timers()
    {
        for (auto const id : ids_) {
            if (g_main_context_find_source_by_id(nullptr, id)) {
                g_source_remove(id);
            }
        }
    }
    void after(milliseconds delay, GSourceFunc call, gpointer self)
    {
        auto const ms = std::min<std::int64_t>(delay.count(), G_MAXUINT); // 49 days
        ids_.push_back(g_timeout_add(static_cast<guint>(ms), call, self));
    }
    void on_signal(int signal, GSourceFunc call, gpointer self)
    {
        ids_.push_back(g_unix_signal_add(signal, call, self));
    }
    void on_message(GstBus* bus, GstBusFunc call, gpointer self)
    {
        ids_.push_back(gst_bus_add_watch(bus, call, self));
    }

private:
    std::vector<guint> ids_;
};

class Player {
public:
    Player(PlayOptions const& options, GstElement* window, std::ostream& out, std::ostream& err)
        : options_(options), out_(options.statistics_path == "-" ? err : out), err_(err),
          statistics_(options.statistics_path, out), pipeline_(options, window),
          loop_(g_main_loop_new(nullptr, FALSE))
    {}
    ~Player() { g_main_loop_unref(loop_); }
    Player(Player const&) = delete;
    Player& operator=(Player const&) = delete;

    int run();

private:
    [[nodiscard]] bool can_start();
    void set_timers(Timers& timers);
    void finish(int code, std::string sentence);
    void leave();
    void say(std::string const& sentence) { err_ << speaker << sentence << std::endl; }
    void save_picture();
    void write_statistics(bool is_final);

    void on_message(GstMessage* message);
    void on_error(GstMessage* message);
    void on_info(GstMessage* message);
    void on_element(GstMessage* message);
    void on_time_over();
    void on_join_deadline();
    [[nodiscard]] bool is_picture_due() const;

    /// Wraps a member function as a GLib callback; it stays armed while the function says so.
    template <auto member>
    static gboolean call(gpointer self)
    {
        auto* const player = static_cast<Player*>(self);
        if constexpr (std::is_same_v<decltype((player->*member)()), void>) {
            (player->*member)();
            return G_SOURCE_REMOVE;
        } else {
            return (player->*member)() ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
        }
    }
    bool on_signal()
    {
        finish(exit_done, {});
        return true; // GLib's handler stays in place until we have left
    }
    bool on_second()
    {
        write_statistics(false);
        return true;
    }
    bool on_snapshot_poll()
    {
        if (is_picture_due()) {
            save_picture();
        }
        return !is_picture_saved_;
    }
    void on_patience_over()
    {
        if (!pipeline_.has_output() && !is_waiting_said_) {
            say("waiting for the channel to start, up to " +
                std::to_string(options_.node.join_timeout.count()) + " s");
        }
    }

    PlayOptions const& options_;
    std::ostream& out_;
    std::ostream& err_;
    StatisticsOutput statistics_;
    Pipeline pipeline_;
    GMainLoop* loop_; ///< owned
    std::optional<std::pair<int, std::string>> verdict_;
    bool is_waiting_said_ = false;
    bool is_picture_saved_ = false;
};

int Player::run()
{
    if (!can_start()) {
        say(verdict_->second);
        return verdict_->first;
    }
    {
        Timers timers;
        set_timers(timers);
        (void)pipeline_.play(); // a failure is on the bus, in words
        g_main_loop_run(loop_);
        leave();
    }
    auto const& [code, sentence] = *verdict_;
    if (!sentence.empty()) {
        say(sentence);
    }
    return code;
}

bool Player::can_start()
{
    if (!pipeline_.missing().empty()) {
        finish(exit_failed, "GStreamer has no " + pipeline_.missing() +
                                "; install gstreamer1.0-plugins-base, -good, -bad and -libav");
    } else if (!statistics_.error().empty()) {
        finish(exit_failed, statistics_.error());
    }
    return !verdict_;
}

void Player::set_timers(Timers& timers)
{
    timers.on_message(
        pipeline_.bus(),
        [](GstBus*, GstMessage* message, gpointer self) -> gboolean {
            static_cast<Player*>(self)->on_message(message);
            return G_SOURCE_CONTINUE;
        },
        this);
    timers.on_signal(SIGINT, call<&Player::on_signal>, this);
    timers.on_signal(SIGTERM, call<&Player::on_signal>, this);
    timers.after(patience, call<&Player::on_patience_over>, this);
    timers.after(options_.node.join_timeout + decode_grace, call<&Player::on_join_deadline>, this);
    if (options_.run_time) {
        timers.after(*options_.run_time, call<&Player::on_time_over>, this);
    }
    if (statistics_.is_wanted()) {
        timers.after(statistics_interval, call<&Player::on_second>, this);
    }
    if (!options_.snapshot_path.empty() && options_.snapshot_after) {
        timers.after(milliseconds{50}, call<&Player::on_snapshot_poll>, this);
    }
}

/// The first reason to end counts.
void Player::finish(int code, std::string sentence)
{
    if (!verdict_) {
        verdict_.emplace(code, std::move(sentence));
    }
    g_main_loop_quit(loop_);
}

void Player::leave()
{
    if (!options_.snapshot_path.empty() && !is_picture_saved_) {
        save_picture();
    }
    write_statistics(true);
    pipeline_.stop();
}

/// A picture that was asked for and cannot be had is a failure; an earlier one is worse.
void Player::save_picture()
{
    is_picture_saved_ = true;
    std::string sentence = "no picture was shown, so there is no snapshot";
    if (auto* const sample = pipeline_.newest_picture()) {
        sentence = write_png(sample, options_.snapshot_path);
        gst_sample_unref(sample);
    }
    if (sentence.empty()) {
        return;
    }
    if (verdict_ && verdict_->first == exit_done) {
        verdict_.reset();
    }
    finish(exit_failed, std::move(sentence));
}

void Player::write_statistics(bool is_final)
{
    if (!statistics_.is_wanted()) {
        return;
    }
    auto const frames = pipeline_.frames();
    PlayStatistics const figures{pipeline_.startup(), frames.shown, frames.dropped,
                                 pipeline_.glass_to_glass(), is_final};
    statistics_.write(statistics_line(pipeline_.node_statistics(), figures));
}

void Player::on_message(GstMessage* message)
{
    switch (GST_MESSAGE_TYPE(message)) {
    case GST_MESSAGE_ERROR:
        on_error(message);
        break;
    case GST_MESSAGE_INFO:
        on_info(message);
        break;
    case GST_MESSAGE_ELEMENT:
        on_element(message);
        break;
    case GST_MESSAGE_LATENCY:
        pipeline_.recalculate_latency();
        break;
    case GST_MESSAGE_EOS:
        finish(exit_done, {});
        break;
    default:
        break;
    }
}

void Player::on_error(GstMessage* message)
{
    GError* error = nullptr;
    gst_message_parse_error(message, &error, nullptr);
    std::string sentence = error->message;
    auto const is_resource_error = [error](GstResourceError code) {
        return g_error_matches(error, GST_RESOURCE_ERROR, code) != FALSE;
    };
    bool const is_window_gone = is_resource_error(GST_RESOURCE_ERROR_NOT_FOUND);
    g_error_free(error);
    auto* const from = GST_MESSAGE_SRC(message);
    if (is_window_gone && pipeline_.is_screen(from)) {
        finish(exit_done, {}); // closing the window is how people stop watching
        return;
    }
    if (pipeline_.drop_sound(from)) {
        say("playing without sound: " + sentence);
        return;
    }
    finish(exit_failed, std::move(sentence));
}

void Player::on_info(GstMessage* message)
{
    GError* info = nullptr;
    gst_message_parse_info(message, &info, nullptr);
    say(info->message);
    g_error_free(info);
    is_waiting_said_ = true;
}

void Player::on_element(GstMessage* message)
{
    auto const* const fields = gst_message_get_structure(message);
    if (gst_structure_has_name(fields, joined_message)) {
        out_ << "ppsp-play playing " << gst_structure_get_string(fields, "swarm")
             << " udp=" << gst_structure_get_string(fields, "udp") << std::endl;
    } else if (gst_structure_has_name(fields, "missing-plugin")) {
        auto const* const name = gst_structure_get_string(fields, "name");
        say(std::string{"cannot play a part of this channel: GStreamer has no "} +
            (name ? name : "decoder") + "; gstreamer1.0-libav may have it");
    }
}

void Player::on_time_over()
{
    if (pipeline_.has_output()) {
        finish(exit_done, {});
    } else {
        finish(exit_failed, "the time given by --seconds is over and nothing was played");
    }
}

void Player::on_join_deadline()
{
    if (pipeline_.has_output()) {
        return;
    }
    finish(exit_failed,
           pipeline_.bytes_received() == 0
               ? "nobody has sent this channel within the time given by --join-timeout"
               : "the channel arrives, but there is nothing in it that can be decoded here");
}

bool Player::is_picture_due() const
{
    auto const startup = pipeline_.startup();
    return startup && pipeline_.running_time() >= *startup + *options_.snapshot_after &&
           pipeline_.frames().shown > 0;
}

} // namespace

int play(PlayOptions const& options, std::ostream& out, std::ostream& err)
{
    GstElement* window = nullptr;
    if (!options.headless && !options.measure_clock) {
        g_set_prgname("ppsp-play");
        g_set_application_name(window_title(options.node.link).c_str());
        window = open_window_sink();
        if (window == nullptr) {
            err << speaker << "there is no display here, so it plays without a window" << std::endl;
        }
    }
    return Player{options, window, out, err}.run();
}

} // namespace ppsp::player
