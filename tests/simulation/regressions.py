"""Runs that once broke a law, as `Plan.to_json` writes them, each with what was wrong."""

from __future__ import annotations

REGRESSIONS: dict[str, str] = {
    "a settings copy that a killed compaction did not make was never made": (
        '{"seed":201,"only":[1,15,24,35,36,37],"off":["conflict","stream twice","event twice",'
        '"cold","second environment","part before","kill after","part after"],"machines":3,'
        '"sends":2,"turns":50,"grain":0.85,"switch":0.2,"faults":{"kill after":0.01,'
        '"lose answer":0.03,"conflict":0.05,"part before":0.1,"part after":0.1,"slow":0.03,'
        '"stream twice":0.3,"event twice":0.3,"cold":0.5,"second environment":0.2},'
        '"moves":{"send":12,"execute":6,"announce":1,"archive":4,"event":4,"check":1,"policy":1,'
        '"dump":1,"restore":1,"fork":1,"sweep":2,"certify":1,"retention":1,"read":4,'
        '"read past":1,"age":1,"expire":1},"keys":4,"count":4,"page":1,"inline":64,'
        '"block":10000,"tail":20000,"skew":0,"stale":0.0,"late":false,"rest":false}'
    ),
    "whoever changed settings died before the copy, and no sweep of an idle machine made it": (
        '{"seed":258,"only":[27,74,76,84,85,86,87],"off":["settle lost","cold","part after"],'
        '"machines":1,"sends":1,"turns":90,"grain":0.95,"switch":0.2,"faults":{"kill after":0.003,'
        '"freeze before":0.005,"part after":0.02,"settle lost":0.1,"cold":0.1},"moves":{"send":6,'
        '"execute":12,"announce":1,"event":1,"settings":2,"sweep":2,"certify":2,"read past":1,'
        '"jump":1,"leap":2},"keys":6,"count":2,"page":100,"inline":64,"block":10000,'
        '"tail":20000,"skew":0,"stale":0.0,"late":false,"rest":false}'
    ),
    "two forks of one id at once: the slower one took the faster one's archive for a loss": (
        '{"seed":238,"only":[26,27,41,62,63,64,69,70,74,76,87],"off":["freeze after","no answer",'
        '"conflict","part before","part after","event lost","event twice","cold",'
        '"second environment"],"machines":2,"sends":11,"turns":90,"grain":0.85,"switch":0.2,'
        '"faults":{"freeze before":0.05,"freeze after":0.005,"no answer":0.005,"conflict":0.2,'
        '"part before":0.3,"part after":0.02,"event lost":0.5,"event twice":0.3,"cold":0.1,'
        '"second environment":0.2},"moves":{"send":6,"execute":12,"announce":4,"archive":4,'
        '"event":1,"settings":1,"dump":1,"restore":1,"fork":1,"sweep":1,"prune":3,"read":4,'
        '"jump":1,"expire":1},"keys":2,"count":3,"page":100,"inline":8192,"block":10000,'
        '"tail":20000,"skew":0,"stale":0.0,"late":false,"rest":true}'
    ),
    "a compaction took a segment for lost that others had merged and pruned meanwhile": (
        '{"seed":5933,"only":[0,1,2,4,8,11,12,14,15,18,25,40,48,49,50,51,58,59,62,63,64],'
        '"off":["freeze before","no answer","conflict","part after","event twice","settle lost",'
        '"second environment","lose answer"],"machines":1,"sends":12,"turns":70,"grain":0.95,'
        '"switch":0.05,"faults":{"freeze before":0.005,"freeze after":0.005,"lose answer":0.03,'
        '"no answer":0.005,"throttle":0.01,"conflict":0.05,"part before":0.3,"part after":0.02,'
        '"event twice":0.1,"settle lost":0.4,"cold":1.0,"second environment":0.2},'
        '"moves":{"send":12,"execute":6,"announce":1,"archive":1,"event":4,"settings":2,'
        '"policy":1,"restore":3,"sweep":2,"certify":1,"prune":1,"read past":1,"age":1,"leap":2},'
        '"keys":4,"count":1,"page":100,"inline":8192,"block":2,"tail":20000,"skew":0,'
        '"stale":0.0,"late":false,"rest":false}'
    ),
}
"""What was wrong → the plan that showed it."""
