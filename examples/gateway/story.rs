//! The walk-through: what the gateway is for, shown over real HTTP.

use std::time::Duration;

use http::{Method, StatusCode};
use tokio::time::Instant;

use crate::Failure;
use crate::caller::{Agent, Caller, Doors, Reply, url};
use crate::terminal::Terminal;

/// Walks through the story, and says how to go on by hand.
pub(crate) async fn tell(doors: &Doors, terminal: Terminal) -> Result<(), Failure> {
    let story = Story {
        caller: Caller::new(),
        doors,
        terminal,
    };
    terminal.say("\nAn agent is revoked:");
    story.revoke().await?;
    terminal.say("\nAn agent's token is replaced (the registry publishes no event for that: its signed list says so):");
    story.reissue().await?;
    story.invite().await
}

struct Story<'a> {
    caller: Caller,
    doors: &'a Doors,
    terminal: Terminal,
}

impl Story<'_> {
    async fn revoke(&self) -> Result<(), Failure> {
        let agent = self.register().await?;
        let reply = self.ask(&agent).await?.expect(StatusCode::OK)?;
        self.step("its request is admitted", &reply);
        let stream = self
            .caller
            .open(url(&self.doors.gateway, "/events")?, &agent.ait)
            .await?;
        let cut = tokio::spawn(stream.cut());
        self.terminal.say("  it opens a stream of events, which has no end");
        let revoked = self
            .caller
            .call(Method::DELETE, self.doors.agent(&agent.id, "")?, None)
            .await?
            .expect(StatusCode::NO_CONTENT)?;
        self.step("its owner revokes it", &revoked);
        let refused = self.until_refused(&agent).await?;
        self.step("its request is refused", &refused);
        let cut = cut.await??;
        self.terminal.say(format_args!(
            "  from asking for the revocation to the first refusal: {}, to the end of the stream: {}",
            millis(refused.arrived_at - revoked.sent_at),
            millis(cut.saturating_duration_since(revoked.sent_at))
        ));
        Ok(())
    }

    async fn reissue(&self) -> Result<(), Failure> {
        let old = self.register().await?;
        let reply = self.ask(&old).await?.expect(StatusCode::OK)?;
        self.step("its request is admitted", &reply);
        let reissue = self.doors.agent(&old.id, "/reissue")?;
        let reply = self
            .caller
            .call(Method::POST, reissue, None)
            .await?
            .expect(StatusCode::OK)?;
        self.step("its token is reissued", &reply);
        let new = Agent::of(&reply);
        let refresh = url(&self.doors.admin, "/refresh")?;
        let reply = self
            .caller
            .call(Method::POST, refresh, None)
            .await?
            .expect(StatusCode::OK)?;
        self.step("the gateway fetches the list", &reply);
        let reply = self.until_refused(&old).await?;
        self.step("the old token is refused", &reply);
        let reply = self.ask(&new).await?.expect(StatusCode::OK)?;
        self.step("the new token is admitted", &reply);
        Ok(())
    }

    /// Prints commands that go on from here.
    async fn invite(&self) -> Result<(), Failure> {
        let register = url(&self.doors.registry, "/v1/agents")?;
        let agent = Agent::of(&self.caller.call(Method::POST, register.clone(), None).await?);
        let hello = url(&self.doors.gateway, "/hello")?;
        let events = url(&self.doors.gateway, "/events")?;
        let revoke = self.doors.agent(&agent.id, "")?;
        let status = url(&self.doors.admin, "/status")?;
        let refresh = url(&self.doors.admin, "/refresh")?;
        let Agent { did, ait, .. } = agent;
        self.terminal.say(format_args!(
            r#"
Still serving, until ctrl-c. The console shows it all, and has agents to try: open the address in the line `console`, above,
in a browser. Or go on by hand. The token of another agent, {did}:

  AIT={ait}

Have it admitted, follow events, revoke it, and see it refused:

  curl -i -H "Authorization: Claw $AIT" {hello}
  curl -N -m 3 -H "Authorization: Claw $AIT" {events}
  curl -i -X DELETE {revoke}
  curl -i -H "Authorization: Claw $AIT" {hello}

Ask the gateway how it is, have it fetch the list now, and get another agent's token:

  curl -s {status}
  curl -s -X POST {refresh}
  AIT=$(curl -s -X POST {register} | sed 's/.*"ait":"\([^"]*\)".*/\1/')
"#
        ));
        Ok(())
    }

    async fn register(&self) -> Result<Agent, Failure> {
        let register = url(&self.doors.registry, "/v1/agents")?;
        let reply = self.caller.call(Method::POST, register, None).await?;
        let reply = reply.expect(StatusCode::CREATED)?;
        self.step("an agent is registered", &reply);
        Ok(Agent::of(&reply))
    }

    async fn ask(&self, agent: &Agent) -> Result<Reply, Failure> {
        let hello = url(&self.doors.gateway, "/hello")?;
        self.caller.call(Method::GET, hello, Some(&agent.ait)).await
    }

    /// The first refusal.
    async fn until_refused(&self, agent: &Agent) -> Result<Reply, Failure> {
        let started = Instant::now();
        loop {
            let reply = self.ask(agent).await?;
            if reply.is_revoked() {
                return Ok(reply);
            }
            if started.elapsed() > PATIENCE {
                return Err("a revoked agent is still admitted".into());
            }
        }
    }

    fn step(&self, what: &str, reply: &Reply) {
        let (status, took) = (reply.status.as_u16(), millis(reply.took()));
        let note = match reply.text("/error/message") {
            message if message.is_empty() => reply.text("/did"),
            message => message,
        };
        let line = format!("  {what:<30} {status}  {took:>10}  {note}");
        self.terminal.say(line.trim_end());
    }
}

fn millis(duration: Duration) -> String {
    format!("{:.2} ms", duration.as_secs_f64() * 1e3)
}

const PATIENCE: Duration = Duration::from_secs(10);
