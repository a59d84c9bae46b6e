param name string
param unused string = ''

resource net 'Microsoft.Network/virtualNetworks@2023-09-01' = {
  name: name
  location: 'westeurope'
  properties: {
    addressSpace: { addressPrefixes: ['10.0.0.0/16'] }
  }
}

output name string = net.name
