import { dice } from "../mutation.fixture.ts";

export interface RecordedFrame {
  readonly name: string;
  readonly content: () => Buffer;
  /** As `zstd` 1.5.4 packs the content; in base64. */
  readonly frame: string;
}

/** Of every kind of block, of literals and of tables; those of a size are from a file, the others from a pipe. */
export const RECORDED_FRAMES: readonly RecordedFrame[] = [
  {
    name: "nothing",
    content: () => Buffer.alloc(0),
    frame: `KLUv/SQAAQAAmenYUQ==`,
  },
  {
    name: "what does not pack",
    content: () => noise(40),
    frame: `KLUv/SQoQQEAPemc7QzbXA0R+/mIc4yax8dredpcexe/1Vst+x90dBsdn8UVm+1El9K474Q=`,
  },
  {
    name: "one byte, repeated",
    content: () => Buffer.alloc(1_000, "a"),
    frame: `KLUv/WToAk0AABBhYQEA4yuABSNC2i4=`,
  },
  {
    name: "zeros, without a size",
    content: () => Buffer.alloc(300_000),
    frame: `KLUv/QRYVAAAEAAAAQD7/znAAgIAEAADnwQALSjeJg==`,
  },
  {
    name: "one stream of literals",
    content: () => prose(230),
    frame: `
      KLUv/STmVQQAkgUVHGBtcw3U1Fo6fOIrYpIpHPqngv8T4MH/wiBI4QGpbtk77EvVMwISiIOhQBgIAmYoUlqghpnH9osP5vAzwWUF
      U1c7evbOjUZfNX7qaxxJdYuZJnGQFABpcFqiABQGEjZQsoA4DpJoyMICWLXlMWCIAUwooFejb27Qkseg8tYckNQAQ2VtD3MMbW9l
      tA==
    `,
  },
  {
    name: "few values",
    content: () => noise(3_000, 5),
    frame: `
      KLUv/QQABAoACkDsBIMiEU0ATQBMAFHFCYa3eYQXZ0rGVR4ahMMJ2Tm8MYJlRYJkFPHQIQkmAGhYqkTevX97pHFCzIEJkbiKwGxm
      3QMceFBSCNiwOQOFp6SAzhMcSALgyzsbyKFo1EQRycnTogD4cwgY+QrJJ/G9XKlhrkJdojBAuFgBoHdCyhHS0QEY+IkPOZLUtRfl
      QlIgYmsQHU06H4MPA1AcQJ6mU74IE8gdJBxhY4BSuD406ggUvQmlkkgYEehSoid8CrAlBcJTEvggqlJnzbCJSvJim0awD5tgTFqc
      NjNPKQYepzvDIQfhV5CIkgRd55FhmA4wSfswlQPEjP2YaTA8ab6Zi4xwgpFA7FbWdEx3GZjYIr8UIgqRZUw21hRK/AI1IRaCnAkR
      SHCgdyl1e2agx0qV3pwkEfLR4Lzp/+TUgeOkEQAUCgALQPQETgBOAE0AJXGugENiuFwnVjAQAgGBOMACj4ilkdxNsMcDw0kE3DdG
      JBm5IgepONDCqiSgNgWiDBicDp3yJkUQSfUyKpDimpwBVzqy4igGyEACAFgXBqMEYxBKgwTE4INDtRrZkgRQGLPhBEVEgmxIm0EC
      CjcRUf+qckwgcrlikhiQCEUxTCUJ1guA5KjImHlljPw4/u8hRhl05OFFIJUM7wsFIydzjhklOUOxWAPFqN0pMTigm/fWAyKETQSz
      i4UkgWGSR2BJAu8AiGiDOHIq0EtbsgXYEx9mLkihYERtLIAYZ5RDwQuvcgR8FrD0eWJpjHdFgOB2BEkxwWwWB4B4Uoo4GCCnz0U0
      7qDyNTLpgiiNcCUYIZ4exDYM8nzs8iKi6LAgIQdn6KCLE6w4yUFK0O7hTQeBKYXdilaCBgMAXQkAh/tJSABIAEgAQMjGAMWImCHk
      EiYFKYF3PA+qQxLuwASfKTKGB4T5hTAMjmOMzwJCkeeHi0g4KCKYcgT/0C5HT7KMhgngJRAiHQGOiYWFMhxY+TpkJDgd0XRyAAlR
      FH5lAlgs6Q5+5BEAIIpgcKAx+37A+TYBuASv6WHoYqRw+rI5FcBy8rGENkUirkqgH1ABQjobVNDNSOQGMJ9zAuTkRDAB9ABVMnM/
      F7EhzPgmIF2CZUVGhkkHvlVKQY6gFNFjDggJEkyY6CmI8F5yLnO+GMRYQkdP6wDOqzOSspgYQBCYJhdB8AD6QQ6W/ngwIkIO/cKc
      Msz85fu0xX2RJEiLkGy1uBxEDEY4IAKAB5JqDtJlEYA+Of8IKLTgNQGSBApgiaaaDUzmIJgiAgDal1z9
    `,
  },
  {
    name: "level 1",
    content: () => rows(1_500),
    frame: `
      KLUv/WTcBH0MAOYZRTwgVdMc8Gy1ADsQNxhYbghqWJiYRTAUzaINyw0iC+smYmSmMa6OLGbElwIUY+foNELPGSfK03Oeoi+lTAE6
      ADMAMwAz0TOt0YxzAV8SDQfyAI/cfBxAFKtlV+Ju6YVcnMTbF3rWSPUsEamF6rEQkVanl7pMq5J1AsmHWedsG54gykLhcRNyBGXs
      VH7giHM455LNX9zAj1v4po2bywtMMaNxApV8ZkM+4GVaEbnFuOZKL54b6RCmLpeZyh/EcTNxTxW/cQebZNjleINGdivOYAqK5Szv
      VD3IF2TiYZe5gqeX4uQBMTpupWN43UC/MKbD7AnMDMQr3HFzpxDGV/6G2BX5hDCam4iD9ri1XMIan/HPFxQRBjIgIMJYVQcyAkrQ
      QPJQvyVgcQGiRqZG6YKYGcYmAFH8pIoOYKAZHKHh2Rn2wt/gSOLI5IcJG0hDX8Uk1w4QNVo1ct0K+vJ/LKwiehbYLgBVbgQG/zIw
      FxS90HUAS0ScW60imkH4LRefAjAXX2ovK0iVACziPwpFGSlg4YE=
    `,
  },
  {
    name: "level 3",
    content: () => rows(1_500),
    frame: `
      KLUv/WTcBIUMADZZQzoAV9QcDPf/LxiBCi5l9CX9tedee0Trp14gTmfqyM7N08Qulv+XWxXaQ6w+RIGKLL5O7JH46pwvpUwBOgAx
      ADIAoF9eoZnmAT4mGT7kACq5BXnKFhdrR+Lu6H1efMTb93lXCPUukMgF6q0AiVKmx6JESo0uE0s8zDZnAwieftyK/MAZuxw3UMQ3
      XNNJ5jBeQMgrPPPGrXUCUcxqfMAmnZmRC1gipY7cZBxzNQsQrnBuoj+o0po5qONW4pwpjuMNqmDY7TiDSXYqvqDq1OObqBO5gk86
      7C5P0PRUUK7hAS08bqNfWLp5bmELh1kUltmHU+jj5j5hjK/+gtghuYQsmFuIewK5sR6hjdN458qJNSAwAiI0pzoyAkqogWShfkfA
      8gJkjcwapQtiZRiLAITiZ1R0EAPNcISGZynD2cIZuAac1sViCUdmHibYQBL6Gia5dEBEgbFlrZH7VmiLq3rDIqIXgSsCUHYjMPgn
      A2NBsQtdBrCIiHurRUQzhN9z8SEAY/Fl7aWAVAvAEv9R6MspYOGB
    `,
  },
  {
    name: "level 3, without a checksum",
    content: () => rows(1_500),
    frame: `
      KLUv/WDcBIUMADZZQzoAV9QcDPf/LxiBCi5l9CX9tedee0Trp14gTmfqyM7N08Qulv+XWxXaQ6w+RIGKLL5O7JH46pwvpUwBOgAx
      ADIAoF9eoZnmAT4mGT7kACq5BXnKFhdrR+Lu6H1efMTb93lXCPUukMgF6q0AiVKmx6JESo0uE0s8zDZnAwieftyK/MAZuxw3UMQ3
      XNNJ5jBeQMgrPPPGrXUCUcxqfMAmnZmRC1gipY7cZBxzNQsQrnBuoj+o0po5qONW4pwpjuMNqmDY7TiDSXYqvqDq1OObqBO5gk86
      7C5P0PRUUK7hAS08bqNfWLp5bmELh1kUltmHU+jj5j5hjK/+gtghuYQsmFuIewK5sR6hjdN458qJNSAwAiI0pzoyAkqogWShfkfA
      8gJkjcwapQtiZRiLAITiZ1R0EAPNcISGZynD2cIZuAac1sViCUdmHibYQBL6Gia5dEBEgbFlrZH7VmiLq3rDIqIXgSsCUHYjMPgn
      A2NBsQtdBrCIiHurRUQzhN9z8SEAY/Fl7aWAVAvAEv9R6Ms=
    `,
  },
  {
    name: "level 19, without a size",
    content: () => rows(1_500),
    frame: `
      KLUv/QRoDQsAFppBLBCdNgOAOqYIUsVLGAEEBAhjURBYQSzmutieBYA2MNwKYFTO0FVVVVXZkVKmPwAyADEAUHMzH3gjs5lTuEAy
      kWs9oNgd1gEG3aj2Wu7F+WSGzvLuJ/PdbH6+28yN0M+XM3MDxPP57OgA4dxexk7mIM4NbB95wx4zqzuuM0Tac/pCs5WTXKEZwoue
      UJZ1jyNkuuv6wbKYOaUblGHMeb3g193RCQYf+cU0irubW+yac3rFpzuXU6R50yeihexFXWLYXs0jnk196hB/vvWHM5O9gTvk+YgC
      a1J3OAe5c6fxj7WSubZ7qM2hvGPVnXeORof6N2UP7BvVCO5UrvHqjuoZaUtPOkYaTCSgMQRfweFtfQMgguKpBzLCxHu2b2Y9XTAY
      KCJMrEXw+Yd/hznOMt7sYfuoYAZQwmptIURoS7k8XmJaHcP8/yG24JpkJd6Mz0VvSCiglA7MLoCVmI5CoQYpYOGB
    `,
  },
  {
    name: "level 22",
    content: () => rows(1_500),
    frame: `
      KLUv/WTcBA0LABaaQSwQnTYDgDqmCFLFSxgBBAQIY1EQWEEs5rrYngWANjDcCmBUztBVVVVV2ZFSpj8AMgAxAFBzMx94I7OZU7hA
      MpFrPaDYHdYBBt2o9lruxflkhs7y7ifz3Wx+vtvMjdDPlzNzA8Tz+ezoAOHcXsZO5iDODWwfecMeM6s7rjNE2nP6QrOVk1yhGcKL
      nlCWdY8jZLrr+sGymDmlG5RhzHm94Nfd0QkGH/nFNIq7m1vsmnN6xac7l1OkedMnooXsRV1i2F7NI55NfeoQf771hzOTvYE75PmI
      AmtSdzgHuXOn8Y+1krm2e6jNobxj1Z13jkaH+jdlD+wb1QjuVK7x6o7qGWlLTzpGGkwkoDEEX8HhbX0DIILiqQcywsR7tm9mPV0w
      GCgiTKxF8PmHf4c5zjLe7GH7qGAGUMJqbSFEaEu5PF5iWh3D/P8htuCaZCXejM9Fb0gooJQOzC6AlZiOQqEGKWDhgQ==
    `,
  },
  {
    name: "a window of 1 KiB",
    content: () => rows(4_000),
    frame: `
      KLUv/QQAbAgAZtIyMUB1mgPXovrC2rGZa30qSom4AWEJUw9ZCdvlqdhu799upIPlrFWaWcQisiRiVKx7yxQtACMAIgABgc5uDvBk
      q1njuHb1TinfePad3pZqvQ2lQmk9EZTKxXomJCOu1eYRlLEz3Q2kL2c8Nwj72Lm8ACax6zlBnzOWD5TZoT66CaV2pQsUqnjOA2uj
      L2Q9laJbXGFJzOZs5wlb1l5HGNP4xUtjpK/8AIbziQe71yPGnHUcIshh/pCIYm3mDn/WQt5wiOY0N21d5wxDGAEYoCDCJ9SW9g0g
      ggLmAzLe9GH7WGMALNu6vhAiNGUuD0+RdsZh/n/GF7gkW4ltR3PxOzIVXHIC0gWwivso5CnkBgCCzyYuUFXSGgA0GhtosIIIPQaG
      EjeMIXS96nmD1dcIOK1kn8SHkJ8jRLAgSxLzRxO5UyMfyC1+MG44r/gBuJm8KnMjOcUM5dMnZhxfzCVmAkM0j1hz8zjElZv1B8/H
      ozv0UN/LG+Zc5QxbPpEvtD7plM7FbecK2C3jCWE+6NOSsxyhxtDND2IB38alM5/LDa6Un7zg6nh1gtfAF/KoTRmgEBDhKe8BEE6q
      PCuexJThAu1kwT604ylj5/EtDFOHrGp7MWRHMkz8R/tm1CRLNoMqZqoegcc/7gkl53gQpAYAog8lK2BXhjUDUXnkAUCQF6SLcLZU
      LwC8SK2Qu2ooF5a3OHTTQ8n6UB8WCeItZQr32apnNJtv4xiNZVP5xemDbtECXvKK1XZzimFu8okin84lpNG28ojS28ghLpmhkz+Q
      nOMONf4NL882PVrzlzNE+Wi+sOMeV9gB+EKekPo+jtBq+VJ+0AI5zg1aAp/LC+ZsMycYc+oDARmgIMJHpg9ARCitBzDyFRwBccst
      8vYjqZgl1A9uGfc9R7lkD0yx+bPoAWsngRBnHD04EyYEYpHkBgplu0FVBgByTiQtYE/SGhJpwAGo6AOICDEFvgx4RySQDyT+GIYF
      a3Y+WUFpQoKXlc+htUYI2XKnBb9uzWh+HaPKrOQXUcgHcIvpm1eMAm6dU4RYPuoTST6QVzNmMJcICdxaHtFlNnLqxmNykz49HLcO
      8SG4ofxhi/nHpSc/uEOP2cAbNoNP4wwb59MX3sr3coUT+VKe8Kqv4wgDF+AQDuZ6xNFU4mb5B6Rc1qqVpMSwJxc4oTuhIisxKklN
      HulHD0nmNJM0ESbLhyiQWZsBDwMCSBHUww==
    `,
  },
  {
    name: "records of one length",
    content: () => records(),
    frame: `
      KLUv/QAARAUAxAc96ZztDNtcDRH7+YhzjJrHx2t52lx7F7/VWy37H3QAAAUlWxJKth9vESyUbDm5x0beIlMDfWAo2G1NM3pyjoeX
      6ZS8RKHhn64G+rsrVchQsNV1C+KaZu+/wfzkHAkJdxYu0iNTLTB4iD2d40rCPlfnmWQM9HExT35Wqos9HgQbYIABBhhggAEGGGCA
      AQYYYIABBhhggAEGGGCAAQYYYIABBhhghKgnLQQAhAXpewWYoGClxbuy6ha/D3HMNMzZWSfmfoLzo90AyDgN7ZMaEu4nN0k0XKRB
      gf9Oplpby7Vo8BB1FWuCOsaPXyGchHypqde2zjLD843QGOjdPUPqYp73h/kEHRAA4hCHOMQhDnGIQxziEIc4xCEOcYhDHOIQhzjE
      IQ5xiEMc4hCHOMRhrg==
    `,
  },
  {
    name: "long matches",
    content: () => long(),
    frame: `
      KLUv/QRYXAAAGGFiYwEA+v/mbghUEAC2IFU/4FilOQBtaI4cmc3LCp1wpMZgIZ4IzlKIXGjiouNCayNBBAsLUt+JJ8LOIW0CeE6X
      /FRnqfNTZz2qQp2/pUwBSgA+AEEAsdjcnlxAVY8Lyu7GZRLdTo+Z8dxoHuC7ovMmB7DKTslh/mRGYyqOTb0doKe4+3ZextN62QlV
      o/VonFCu1fNR9bhSWQsrI26mt6dnkMrYjC/4YhW96KatO7mCWkSMxTzB1Xst3cMRZB3ZHf3AHGNDNxDFQZxmlpkLvQCTV/hMHzuk
      EwjjxuMDArmEuH1RupU4hUV22Ce0caK/JsaiXEIlmd2J30yyM3qEPa7jNpNcQJhUs0P9QR8V0m3oDgbZsXhNGQfyBrfkjAkJQUEv
      oBeLxE3KP1yCueFAchN6h6zsJ3s75nDFzsh1ejGNLfmG2dHtxTUcuqme4erFOGcXnB2RY5jyH79wyC51C1W7m+MER6ghkREYgRHE
      rDZ7BjBCIkC1ehIIUgxFMQQUAcMwBDc0hWIoC62xMNv6nw3paviA0J74oQBMTIAS1PtNO8oIoBxOhD7SRPqOK0tlSrxHyHTTdOP5
      RyzZL4HflPBb2EIm3uySyByIJSLpMyQHLI2ThuvM4vPCGiQlmUVPcEli66y4imQuKzf1aMOqyoK9HatRrQGP/9zUo81cd/3vkJWb
      nX0DGheFCDmxemNZeoR+8TRobxxMAAAIeQEA/P85EAJ1AAAIeQIAzU9UjD8wCR5cAQ+x8ek=
    `,
  },
  {
    name: "prose, then few values",
    content: () => Buffer.concat([prose(1_024), noise(3_000, 5)]),
    frame: `
      KLUv/QQABAoA0gYXF1BZB/+VjQrI7crqC8hYpRsJhIbMzDQnk8Pv+/1+z32/x1PLRe+zdlmibqAkyGEUxCBoszwP40D6iZ88t/qk
      ZLmaAitdWscOOTlkXV1lq5WlS2zNpAv09Os2EAuAg6hRTyko1Gc5EBBinMrzINCkCRNMKh0caHOBBFPxSH1CznoLUDObKW9cEOMy
      66KLhQdgaj+wS5VeovyK+Turmwx8GlTPuSPoqL/ga2rpBsKvkBwpKYCpSKwa4VAVgCmN0JsbYiYSFLaeZj9/sbwX6hCQmlK4Zo8h
      eqlTumLL/D5CqPXAivjG58TkIBSDwCGrBVLkgECpZ5JkcP0gsz6Bhf8LCAAkIBi8LoadGnw2DP6NYlgdGsxFqBtLLfycJv/2YGEI
      E49Ss5tcNp2x5/MpmI306sagTn/YFxq3jUvtjqs0DAByRgiDESKAq6MMsIbJRMJm+X/ihJ3cdtDRkhQoLMqlVg9k7AmA8KhB2ySF
      9jcghBjGTD3QdAegKYFKp2dmAmkEAPih9MWU6XvNm34H+i0+P7dsO3SLWTlaye37aTh5IwNvBilf0iAMIB2ZyfhmgHe+EC20keKa
      WK1syiv84y5OOK/thRwPGURNhVhBpDJ0VeUpLaWoP+8pXYk+o5JN+kM5CPVA4n4sVgDbQihi1hT+wwI+i3I5WDdn/jGprxqVahUD
      O3TVZvr7VCTYxf5TI4mvDlJ+guvlQQidialqnGpcBuXXwmtz1EJvFnY26C78p3UkWM/lLc+SA/yjPTEKgnY/OgCgpgma4oHTI0Yx
      AkaKEFmJ36gm5oCBU88vgt0QM3IiNS1db5V0j4H1g0VcLeDEPjF+3RA8z2IZWxKHg2kyeCHC+lAjB4xFk7MSrX/PqXmB1f7cTeGy
      UhNnUB8Dfhj+725cIjk1GMNG3k5pX3sEzOMlZbpJBURwWjr2//UCPP89BaoKd6vsCwDjAAHizjKVgP6o8DkghBCF7u6gcBcD2fm4
      ovC2MjEuzxvorLv4cJmbSEPJcB8yqRTWxfwUpSmHbuFZhmMtOI8xgZahlrN/pGnnupBcNHoUM/BuAWglSSSorRtrtwg5Qm1noG4h
      1JGbuZCpKZWIIC1IbVJcIsfDJBeC5pQxICdHsCtRGpTfR2goOPizKIhlxu/eFNqfV1pNBP7Y349M2YFIIHIIOvlnCyM+uaxYwZXg
      L2ViI0kn7h2gTtOnk7CBEt97JDQA8xN5pwj3OCmsSlQNZM8qdqNyl/NavssilzDAVcm63Yg1nT9kqet6MCE9V9ah8TtG9XtczNAy
      E6Mz5CbQqXQLRGvCIy3gCFrmL6VMk7cKQ7ANg12FK9gI/GN8uGXZ8i8S3HQiM78bUw5qUeBCTXDbTdiOQ21lTeHg/jTnvopppQiS
      msxxPshe2RfERVQpsTF60ovwY50FuKiJ9M/gOJtXluzeKit34OFK8oDIMVaQWioOD4BG4hVdHCyNCgAgAwQDAYDkuOAPgGrVGB8E
      wH0yoop0ydhYfujqnTYCqV13FeWG+tPoZ7STo6N5JzL3oOcwqasphX654ole5R4bK9yc6BYoRurID8Q7DwprqElyj0z3JHJ2/8+r
      AJUrvmAjkfhFNyYRyWhOQLTceFf0eIMiFXnmIDHH7KNC+P38hB+r06TkcH4VMMz5HefoFWZvA4jOFKcMTrH5tZxwysvrOW4mgYVI
      FBpCz7BJo8fSEk2QLPHqAg7UOn6pmtAwE3Qw8vCUG12osIRr8k1tKGBmBgXZtRM0gktg+xkY62cR5GE4A13AItpQHd3G9NNjlTG4
      +I8FwYbEmqElZ1hdHmtmH+SklyWYPlC1kAsatOvIkLAewtl24oDrp0qSra46nGCStGPmFiojNJtTv/QKka4145LfMFH6xKbeqvif
      IV/Mk4qGIaYDOvWWaz6zPF3YFW0WJULxog==
    `,
  },
  {
    name: "several frames",
    content: () => Buffer.concat([prose(230), Buffer.from("once more")]),
    frame: `
      KLUv/STmVQQAkgUVHGBtcw3U1Fo6fOIrYpIpHPqngv8T4MH/wiBI4QGpbtk77EvVMwISiIOhQBgIAmYoUlqghpnH9osP5vAzwWUF
      U1c7evbOjUZfNX7qaxxJdYuZJnGQFABpcFqiABQGEjZQsoA4DpJoyMICWLXlMWCIAUwooFejb27Qkseg8tYckNQAQ2VtD3MMbW9l
      tCi1L/0gCUkAAG9uY2UgbW9yZSi1L/0kAAEAAJnp2FE=
    `,
  },
];

function noise(length: number, values = 256): Buffer {
  const roll = dice(7);
  return Buffer.from(Array.from({ length }, () => roll(values)));
}

function prose(length: number): Buffer {
  const roll = dice(9);
  let text = "";
  while (text.length < length) text += `${WORDS[roll(WORDS.length)]} `;
  return Buffer.from(text.slice(0, length));
}

function rows(length: number): Buffer {
  const roll = dice(11);
  const parts: Buffer[] = [];
  for (let id = 1; parts.length * 33 < length; id++) {
    const row = Buffer.concat([Buffer.alloc(13), prose(20 + roll(20))]);
    row.writeUInt32LE(id, 1);
    row.writeUInt32LE(roll(1_000), 5);
    row.writeUInt32LE(1_700_000_000 + id * 60, 9);
    parts.push(row);
  }
  return Buffer.concat(parts).subarray(0, length);
}

function records(): Buffer {
  const record = (id: number): Buffer =>
    Buffer.concat([noise(30), Buffer.from([id * 37, id * 91, id * 13 + 5])]);
  return Buffer.concat(Array.from({ length: 60 }, (_, id) => record(id)));
}

function long(): Buffer {
  return Buffer.concat([
    Buffer.alloc(200_000, "abc"),
    rows(2_000),
    Buffer.alloc(200_000, "xyzzy"),
    rows(2_000),
  ]);
}

const WORDS =
  "the quick brown fox jumps over a lazy dog while 1234567890 rows are WRITTEN to every Replica, twice".split(
    " ",
  );
